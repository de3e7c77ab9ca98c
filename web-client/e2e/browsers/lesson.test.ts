// One lesson, whole: taught in Chromium, received in three classrooms and by a late guest, recorded, replayed.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Visitor, launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { BOARD, CAMERA, VOICE } from '../support/selectors'
import { endLesson, openDeviceCheck, startLesson } from '../support/teaching'
import { STEP_MS, frameAges, shownFrames, longestFreeze, percentile } from '../support/test-pattern'
import { beepOffsets, decodeErrors, counterAt } from '../support/recording'

const run = promisify(execFile)
const QUIET_SECONDS = 20

let hub: TestHub
let browser: Browser

beforeAll(async () => {
  await run('ffmpeg', ['-version']).catch(() => { throw new Error('NOT RUN: ffmpeg is missing') })
  hub = await TestHub.start()
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

// A call of Playwright counts as a gesture, after which a page may play sound: none is made until it had time to do so by itself.
async function classroom(link: string, wall = true): Promise<Visitor & { asksForOk: boolean }> {
  const visitor = await visit(browser, hub.at(link), { recordFramesOf: [BOARD, CAMERA] })
  await new Promise(resolve => setTimeout(resolve, 2500))
  const asksForOk = await visitor.page.locator('[data-testid="sound"]').isVisible()
  await visitor.page.waitForSelector(wall ? '[data-testid="wall"][data-state="live"]' : '[data-testid="watch"][data-state="live"]')
  await visitor.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.videoWidth ?? 0) > 0, CAMERA)
  return { ...visitor, asksForOk }
}

// From the page's own offer to the first picture, in milliseconds.
async function joinToPicture(visitor: Visitor): Promise<number> {
  await visitor.page.waitForTimeout(500)
  const offered = await visitor.page.evaluate(() => performance.timeOrigin
    + (performance.getEntriesByType('resource').find(entry => entry.name.includes('/whep/'))?.startTime ?? Number.NaN))
  const first = (await visitor.page.evaluate(shownFrames, CAMERA)).find(([, counter]) => counter >= 0)
  return (first?.[0] ?? Number.NaN) - offered
}

test('a lesson is taught, seen, heard, recorded and replayed', async () => {
  const teacher = await openDeviceCheck(browser, hub)
  await startLesson(teacher, { board: true })

  // All at once, as at a bell.
  const rooms = await Promise.all(hub.sample.sign_in_links.classrooms.map(link => classroom(link)))
  const joins = await Promise.all(rooms.map(joinToPicture))

  // One press of OK where the browser asks for it; nothing else is pressed in a classroom.
  for (const room of rooms) await room.page.keyboard.press('Enter')

  // Bandwidth estimates have settled: now the lesson is measured.
  await teacher.page.waitForTimeout(3000)
  const from = Date.now()
  const cpuFrom = await hub.cpuSeconds()
  const heardFrom = await Promise.all(rooms.map(room => room.audioStats()))
  await teacher.page.waitForTimeout(QUIET_SECONDS * 1000)
  const heard = await Promise.all(rooms.map(room => room.audioStats()))
  const cpu = (await hub.cpuSeconds() - cpuFrom) / QUIET_SECONDS

  const delays: number[] = []
  for (const [index, room] of rooms.entries()) {
    for (const where of [CAMERA, BOARD]) {
      const frames = (await room.page.evaluate(shownFrames, where)).filter(([at]) => at >= from)
      const freeze = longestFreeze(frames)
      delays.push(...frameAges(frames))
      console.log(`classroom ${index + 1} ${where}: ${frames.length} pictures, longest standstill ${freeze.toFixed(0)} ms`)
      expect.soft(frames.length).toBeGreaterThan(QUIET_SECONDS * 5)
      expect.soft(freeze).toBeLessThan(500)
    }
    const energy = (heard[index]?.energy ?? 0) - (heardFrom[index]?.energy ?? 0)
    const samples = (heard[index]?.samples ?? 0) - (heardFrom[index]?.samples ?? 0)
    const concealed = ((heard[index]?.concealed ?? 0) - (heardFrom[index]?.concealed ?? 0)) / samples
    console.log(`classroom ${index + 1}: voice energy ${energy.toFixed(3)}, concealed ${(concealed * 100).toFixed(2)} %, sound ${room.asksForOk ? 'after one press of OK' : 'by itself'}`)
    expect.soft(energy).toBeGreaterThan(0.01)
    expect.soft(await room.page.isVisible('[data-testid="sound"]')).toBe(false)
    expect.soft(room.errors).toEqual([])
  }

  // A late joiner starts from the hub's cache: no keyframe is asked of the teacher for it.
  const askedBefore = await hub.metric('tongke_keyframes_asked_total', 'need="viewer"')
  const guest = await classroom(hub.guestLink(), false)
  joins.push(await joinToPicture(guest))
  await teacher.page.waitForTimeout(1500)
  expect.soft(await hub.metric('tongke_keyframes_asked_total', 'need="viewer"')).toBe(askedBefore)

  console.log(`glass to glass: p50 ${percentile(delays, 0.5).toFixed(0)} ms, p95 ${percentile(delays, 0.95).toFixed(0)} ms`)
  console.log(`join to first picture: p50 ${percentile(joins, 0.5).toFixed(0)} ms, p95 ${percentile(joins, 0.95).toFixed(0)} ms of ${joins.length} joins`)
  console.log(`the hub: ${(cpu * 100).toFixed(1)} % of a core for 1 teacher and 3 classrooms, recording`)
  expect.soft(Math.max(...joins)).toBeLessThan(5000)

  await endLesson(teacher)
  const ended = Date.now()
  await Promise.all(rooms.map(room => room.page.waitForSelector('[data-testid="wall"][data-state="over"]')))
  await Promise.all([...rooms, guest].map(room => room.context.close()))

  // The replay: there at once, seekable, in step.
  await teacher.page.addInitScript(teacher.recordFrames, CAMERA)
  await teacher.page.addInitScript(teacher.recordFrames, BOARD)
  const opened = Date.now()
  await teacher.page.click('[data-testid="watch-replay"]')
  await teacher.page.waitForSelector('[data-testid="replay"]')
  await teacher.page.reload()
  await teacher.page.waitForSelector(CAMERA)
  await teacher.page.click('[data-testid="play"]')
  await teacher.page.waitForFunction(([voice, ...pictures]) => [voice, ...pictures].every(where => (document.querySelector<HTMLMediaElement>(where ?? '')?.currentTime ?? 0) > 0.3),
    [VOICE, CAMERA, BOARD])
  const played = Date.now() - opened
  console.log(`replay plays ${played} ms after it was asked for, ${Date.now() - ended} ms after the lesson's end`)
  expect.soft(played).toBeLessThan(2000)

  const page = teacher.page
  await page.waitForTimeout(2500)
  const drifts = await page.evaluate(([voice, ...pictures]) => pictures.map(where =>
    (document.querySelector<HTMLMediaElement>(where)?.currentTime ?? 0) - (document.querySelector<HTMLMediaElement>(voice ?? '')?.currentTime ?? 0)), [VOICE, CAMERA, BOARD])
  console.log(`pictures against voice while playing: ${drifts.map(drift => (drift * 1000).toFixed(0)).join(' and ')} ms`)
  for (const drift of drifts) expect.soft(Math.abs(drift)).toBeLessThan(0.15)
  await page.click('[data-testid="play"]')

  const duration = await page.evaluate(where => document.querySelector<HTMLMediaElement>(where)?.duration ?? Number.NaN, VOICE)
  const lesson = await page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}`)).json() as Promise<{ live_at_ms: number, ended_at_ms: number, recording: { recording_id: string } }>, hub.sample.lesson_id)
  const taught = (lesson.ended_at_ms - lesson.live_at_ms) / 1000
  console.log(`duration ${duration.toFixed(3)} s, the lesson took ${taught.toFixed(3)} s`)
  expect.soft(Math.abs(duration - taught)).toBeLessThan(0.3)

  for (const where of [CAMERA, BOARD]) {
    const early = await counterAt(page, where, 6)
    const middle = await counterAt(page, where, duration / 2)
    const expected = early.counter + (middle.second - early.second) * 1000 / STEP_MS
    console.log(`${where}: counter ${middle.counter} in the middle, expected ${expected.toFixed(1)}`)
    expect.soft(Math.abs(middle.counter - expected)).toBeLessThanOrEqual(where === CAMERA ? 2 : 2 + 80 / STEP_MS)
    const at = (lesson.live_at_ms / STEP_MS) % (1 << 24) + middle.second * 1000 / STEP_MS
    console.log(`${where}: lesson time is off by ${((middle.counter - at) * STEP_MS).toFixed(0)} ms against the wall clock`)
  }

  const recording = await page.evaluate(async id => (await fetch(`/api/v1/recordings/${id}`)).json() as Promise<{ main_playlist: string, board_playlist: string }>, lesson.recording.recording_id)
  const offsets = (await beepOffsets(teacher.context, hub.origin, recording.main_playlist)).map(beep => beep.lateS)
  console.log(`beep after flash: median ${(percentile(offsets, 0.5) * 1000).toFixed(0)} ms, worst ${(Math.max(...offsets.map(Math.abs)) * 1000).toFixed(0)} ms of ${offsets.length}`)
  expect.soft(offsets.length).toBeGreaterThan(QUIET_SECONDS / 2 - 2)
  expect.soft(Math.abs(percentile(offsets, 0.5))).toBeLessThan(0.06)
  expect.soft(await decodeErrors(teacher.context, hub.origin, recording.main_playlist)).toBe('')
  expect.soft(await decodeErrors(teacher.context, hub.origin, recording.board_playlist)).toBe('')

  expect.soft(teacher.errors).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
})
