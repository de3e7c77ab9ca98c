// A replay at the end of a line of 300 kbit/s: the camera is given up, voice and board go on; on a better line it comes back.
import { mkdir } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { RuralLine } from '../support/rural-line'
import { BOARD, VOICE } from '../support/selectors'

const PLAYED_MS = 60_000
/** The board is fetched half a minute ahead: so much is left over which the line can still be measured. */
const TAUGHT_MS = PLAYED_MS + 90_000
/** What the line was is forgotten after twenty seconds; then it has to be good for as long. */
const BACK_WITHIN_MS = 70_000
const THIN = 'rate_kbps=300,delay_ms=40'
const SCREENS = process.env.SCREENS

let line: RuralLine
let hub: TestHub
let browsers: Browser[]

interface Moment { at: number, voiceS: number, boardS: number, dropped: boolean }

beforeAll(async () => {
  line = await RuralLine.up()
  hub = await TestHub.start(line.hub)
  browsers = [await launchChromium(line.hub), await launchChromium(line.classroom)]
}, 60_000)

afterAll(async () => {
  for (const browser of browsers ?? []) await browser.close()
  await hub?.stop()
  await line?.down()
})

// Runs in the page: notes ten times a second where everything stands.
function watchReplay([voice, board]: readonly [string, string]): void {
  const moments: Moment[] = []
  Object.assign(window, { moments })
  const at = (where: string) => document.querySelector<HTMLMediaElement>(where)?.currentTime ?? Number.NaN
  setInterval(() => moments.push({
    at: performance.timeOrigin + performance.now(), voiceS: at(voice), boardS: at(board), dropped: document.querySelector('[data-testid="dropped"]') !== null,
  }), 100)
}

// The longest time for which a player did not go on, in milliseconds.
function longestStall(moments: Moment[], where: (moment: Moment) => number): number {
  let longest = 0
  let since = moments[0]
  for (const moment of moments) {
    if (since === undefined || where(moment) > where(since) + 0.01) since = moment
    longest = Math.max(longest, moment.at - since.at)
  }
  return longest
}

test('at 300 kbit/s voice and board play for a minute, and the camera is given up', async () => {
  const [here, there] = browsers
  if (here === undefined || there === undefined) throw new Error('no browsers')
  const teacher = await visit(here, hub.at(hub.sample.sign_in_links.teacher), { testPattern: 'slides' })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector('[data-testid="device-check"]')
  await teacher.page.click('[data-testid="share-board"]')
  await teacher.page.waitForTimeout(1000)
  await teacher.page.click('[data-testid="start"]')
  await teacher.page.waitForSelector('[data-testid="desk"]')
  await teacher.page.waitForTimeout(TAUGHT_MS)
  await teacher.page.locator('[data-testid="end"]').hover()
  await teacher.page.mouse.down()
  await teacher.page.waitForSelector('[data-testid="ended"]')
  await teacher.page.mouse.up()
  const { recording } = await teacher.page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}`)).json() as Promise<{ recording: { recording_id: string } }>, hub.sample.lesson_id)

  // A teaching point looks at it again, on a phone's screen.
  const origin = `http://${line.hubAddress}:${hub.ports.http}`
  const { page, errors } = await visit(there, hub.at(hub.sample.sign_in_links.classrooms[0] ?? '', origin), { width: 390, height: 844, touch: true, devices: false })
  await page.waitForSelector('[data-testid="wall"]')
  await line.both(THIN)
  await page.addInitScript(watchReplay, [VOICE, BOARD] as const)
  const opened = Date.now()
  await page.goto(`${origin}/replay/${recording.recording_id}`, { timeout: 60_000 })
  await page.waitForSelector('[data-testid="replay"]', { timeout: 60_000 })
  await page.tap('[data-testid="play"]')
  await page.waitForFunction(([voice, board]) => [voice, board].every(where => (document.querySelector<HTMLMediaElement>(where ?? '')?.currentTime ?? 0) > 0.1), [VOICE, BOARD], { timeout: 60_000 })
  const played = Date.now()
  await page.waitForTimeout(PLAYED_MS)
  const moments = (await page.evaluate(() => (window as unknown as { moments: Moment[] }).moments)).filter(moment => moment.at >= played)
  const voice = longestStall(moments, moment => moment.voiceS)
  const board = longestStall(moments, moment => moment.boardS)
  const apart = moments.map(moment => Math.abs(moment.boardS - moment.voiceS)).sort((a, b) => a - b)
  const given = moments.find(moment => moment.dropped)
  const counts = moments.at(-1)
  console.log(`row: replay at 300 kbit/s, 80 ms RTT: asked 60 s of voice and board without a stall and without the camera, measured longest standstill of the voice ${voice.toFixed(0)} ms, of the board ${board.toFixed(0)} ms in ${((counts?.voiceS ?? 0) - (moments[0]?.voiceS ?? 0)).toFixed(1)} s, board against voice p95 ${((apart[Math.floor(apart.length * 0.95)] ?? Number.NaN) * 1000).toFixed(0)} ms, camera given up ${given === undefined ? 'never' : `after ${((given.at - played) / 1000).toFixed(1)} s`}, first voice and board ${played - opened} ms after the page was asked for (load ${loadavg()[0]?.toFixed(1)})`)
  console.log(`the page says: ${await page.textContent('[data-testid="dropped"]')}`)
  if (SCREENS !== undefined) {
    await mkdir(SCREENS, { recursive: true })
    await page.screenshot({ path: join(SCREENS, 'replay-thin-390.png') })
  }
  expect.soft(voice).toBeLessThan(500)
  expect.soft(board).toBeLessThan(1000)
  expect.soft((counts?.voiceS ?? 0) - (moments[0]?.voiceS ?? 0)).toBeGreaterThan(PLAYED_MS / 1000 - 1)
  expect.soft(given).toBeDefined()

  // With a better line it comes back by itself, in step.
  await line.both('delay_ms=40')
  const bettered = Date.now()
  const shows = (page: Page) => page.waitForFunction(([camera, voice]) => {
    const [picture, sound] = [camera, voice].map(where => document.querySelector<HTMLMediaElement>(where ?? ''))
    return document.querySelector('[data-testid="dropped"]') === null && (picture?.readyState ?? 0) > 2 && Math.abs((picture?.currentTime ?? 0) - (sound?.currentTime ?? 9)) < 0.5
  }, ['[data-testid="camera-video"]', VOICE], { timeout: BACK_WITHIN_MS })
  await shows(page)
  console.log(`the camera came back by itself ${((Date.now() - bettered) / 1000).toFixed(1)} s after the line was better`)
  expect.soft(Date.now() - bettered).toBeGreaterThan(19_000)

  // Who does not want to wait for that presses.
  // (Another browser profile: this one has the camera's segments already.)
  const other = await visit(there, hub.at(hub.sample.sign_in_links.classrooms[1] ?? '', origin), { width: 390, height: 844, touch: true, devices: false })
  await other.page.waitForSelector('[data-testid="wall"]')
  await line.both(THIN)
  await other.page.goto(`${origin}/replay/${recording.recording_id}`, { timeout: 60_000 })
  await other.page.waitForSelector('[data-testid="replay"]', { timeout: 60_000 })
  await other.page.tap('[data-testid="play"]')
  await other.page.waitForSelector('[data-testid="restore"]', { timeout: 60_000 })
  await line.both('delay_ms=40')
  const pressed = Date.now()
  await other.page.tap('[data-testid="restore"]')
  await shows(other.page)
  console.log(`pressed, it came back in ${((Date.now() - pressed) / 1000).toFixed(1)} s`)
  expect.soft(Date.now() - pressed).toBeLessThan(19_000)
  expect.soft([...errors, ...other.errors]).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
}, 400_000)
