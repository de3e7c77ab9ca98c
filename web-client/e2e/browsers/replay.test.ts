// The replay page in Chromium: watched back while the lesson runs, driven by keys, and whole two seconds after its end.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium } from '../support/chromium'
import { TestHub } from '../support/hub'
import { BOARD, CAMERA, VOICE } from '../support/selectors'
import { endLesson, openDeviceCheck, startLesson } from '../support/teaching'
import { STEP_MS } from '../support/test-pattern'
import { counterAt } from '../support/recording'


interface Lesson { live_at_ms: number, ended_at_ms: number, recording: { recording_id: string } }
interface Standing { voice: number, camera: number, board: number, duration: number, paused: boolean, speed: number, muted: boolean }

let hub: TestHub
let browser: Browser

beforeAll(async () => {
  hub = await TestHub.start()
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

function standing(page: Page): Promise<Standing> {
  return page.evaluate(([voice, camera, board]) => {
    const find = (where: string | undefined) => document.querySelector<HTMLMediaElement>(where ?? '')
    const clock = find(voice)
    return {
      voice: clock?.currentTime ?? Number.NaN, camera: find(camera)?.currentTime ?? Number.NaN, board: find(board)?.currentTime ?? Number.NaN,
      duration: clock?.duration ?? Number.NaN, paused: clock?.paused ?? true, speed: clock?.playbackRate ?? 0, muted: clock?.muted ?? false,
    }
  }, [VOICE, CAMERA, BOARD])
}

// Until every player shows the same moment, and that moment is `atS`.
async function standsAt(page: Page, atS: number, within = 0.3): Promise<void> {
  await page.waitForFunction(([wanted, near, ...players]) => players.every(where => {
    const player = document.querySelector<HTMLMediaElement>(String(where))
    return player !== null && !player.seeking && Math.abs(player.currentTime - Number(wanted)) <= Number(near)
  }), [atS, within, VOICE, CAMERA, BOARD] as const, { timeout: 5000 })
}

test('a lesson is watched back while it runs, and whole when it is over', async () => {
  const teacher = await openDeviceCheck(browser, hub)
  await startLesson(teacher, { board: true })
  // Long enough that second 9 is not near the edge for the page: more than 20 s behind the newest that can be played.
  await teacher.page.waitForTimeout(38_000)
  const lessonNow = () => teacher.page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}`)).json() as Promise<Lesson>, hub.sample.lesson_id)
  const live = await lessonNow()
  const address = `${hub.origin}/replay/${live.recording.recording_id}`

  // A second page of the same person, while they teach.
  const page = await teacher.context.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error.message))
  await page.addInitScript(teacher.recordFrames, CAMERA)
  await page.addInitScript(teacher.recordFrames, BOARD)
  await page.goto(address)
  await page.waitForSelector('[data-testid="replay"]')
  await page.waitForFunction(where => (document.querySelector<HTMLMediaElement>(where)?.duration ?? 0) > 12, VOICE)
  // A second of its own for each picture: a player that stands there already draws no new frame.
  for (const [where, at] of [[CAMERA, 8], [BOARD, 9]] as const) {
    const { second, counter } = await counterAt(page, where, at)
    const off = second * 1000 - (counter - (live.live_at_ms / STEP_MS) % (1 << 24)) * STEP_MS
    console.log(`seen back during the lesson, ${where}: second ${second.toFixed(2)} shows what was drawn ${off.toFixed(0)} ms earlier`)
    expect.soft(Math.abs(off)).toBeLessThan(500)
  }
  expect.soft(await page.isVisible('[data-testid="behind"]')).toBe(true)
  const grown = (await standing(page)).duration
  await page.click('[data-testid="live"]')
  await page.keyboard.press('k')
  await page.waitForSelector('[data-testid="edge"]')
  await page.waitForFunction(([where, from]) => (document.querySelector<HTMLMediaElement>(String(where))?.duration ?? 0) > Number(from) + 6, [VOICE, grown] as const, { timeout: 20_000 })
  const atEdge = await standing(page)
  console.log(`at the live edge: plays ${(atEdge.duration - atEdge.voice).toFixed(1)} s behind the newest, ${((Date.now() - live.live_at_ms) / 1000 - atEdge.voice).toFixed(1)} s behind the lesson`)
  expect.soft(atEdge.paused).toBe(false)
  expect.soft(atEdge.duration - atEdge.voice).toBeLessThan(20)
  await page.close()

  await endLesson(teacher)
  const ended = Date.now()
  const after = await teacher.context.newPage()
  after.on('pageerror', error => errors.push(error.message))
  await after.goto(address)
  await after.click('[data-testid="play"]')
  await after.waitForFunction(players => players.every(where => (document.querySelector<HTMLMediaElement>(where)?.currentTime ?? 0) > 0.2), [VOICE, CAMERA, BOARD])
  const took = Date.now() - ended
  console.log(`plays ${took} ms after the lesson's end, the opening of the page and 0.2 s of playing among them`)
  expect.soft(took).toBeLessThan(2000)
  await keys(after)
  await preview(after)
  for (const tracks of ['camera', 'board', 'both'] as const) await playsAsFile(after, tracks, ((await lessonNow()).ended_at_ms - live.live_at_ms) / 1000)
  expect.soft(errors).toEqual([])
  expect.soft(teacher.errors).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
}, 120_000)

// As in the players that people know.
async function keys(page: Page): Promise<void> {
  const press = (key: string) => page.keyboard.press(key)
  await press(' ')
  await expect.poll(async () => (await standing(page)).paused).toBe(true)
  const { duration } = await standing(page)
  await press('Home')
  await standsAt(page, 0)
  await press('l')
  await standsAt(page, 10)
  await press('ArrowRight')
  await standsAt(page, 15)
  await press('j')
  await standsAt(page, 5)
  await press('5')
  await standsAt(page, duration / 2)
  const middle = (await standing(page)).voice
  await press('.')
  await press('.')
  await standsAt(page, middle + 0.08, 0.02)
  await press(',')
  await standsAt(page, middle + 0.04, 0.02)
  await press('End')
  await standsAt(page, duration)
  await press('2')
  await press('>')
  await press('>')
  expect.soft((await standing(page)).speed).toBe(1.5)
  await press('k')
  await page.waitForTimeout(2500)
  const fast = await standing(page)
  console.log(`at 1.5 times the speed: camera ${((fast.camera - fast.voice) * 1000).toFixed(0)} ms, board ${((fast.board - fast.voice) * 1000).toFixed(0)} ms from the voice`)
  expect.soft(Math.abs(fast.camera - fast.voice)).toBeLessThan(0.15)
  expect.soft(Math.abs(fast.board - fast.voice)).toBeLessThan(0.15)
  await press('k')
  await press('<')
  await press('<')
  expect.soft((await standing(page)).speed).toBe(1)
  await press('m')
  expect.soft((await standing(page)).muted).toBe(true)
  await press('m')
  const large = () => page.getAttribute('[data-testid="pictures"]', 'data-large')
  expect.soft(await large()).toBe('board')
  await press('s')
  expect.soft(await large()).toBe('camera')
  await press('?')
  expect.soft(await page.isVisible('[data-testid="key-help"]')).toBe(true)
  await press('Escape')
  expect.soft(await page.isVisible('[data-testid="key-help"]')).toBe(false)
  await press('f')
  await page.waitForFunction(() => document.fullscreenElement !== null)
  await press('f')
  await page.waitForFunction(() => document.fullscreenElement === null)
  // The page is as large as before only some pictures later.
  await page.waitForFunction(height => innerHeight === height, page.viewportSize()?.height)
  // The place is in the address.
  await press('7')
  await page.waitForFunction(second => Math.abs(Number(new URL(location.href).searchParams.get('t')) - second) <= 1, duration * 0.7)
}

// A pointer over the timeline sees that moment, without the player going there.
async function preview(page: Page): Promise<void> {
  const before = await standing(page)
  const box = await page.locator('[data-testid="timeline"]').boundingBox()
  if (box === null) throw new Error('no timeline')
  const from = Date.now()
  await page.locator('[data-testid="timeline"]').hover({ position: { x: box.width * 0.3, y: box.height / 2 } })
  await page.waitForSelector('[data-testid="preview-picture"][data-pictured="true"]', { timeout: 10_000 })
  console.log(`a preview of another moment after ${Date.now() - from} ms`)
  const bright = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('[data-testid="preview-picture"]')
    const pixels = canvas?.getContext('2d')?.getImageData(0, Math.floor(canvas.height / 2), canvas.width, 1).data ?? []
    return pixels.filter((value, at) => at % 4 === 0 && value > 150).length / (pixels.length / 4)
  })
  expect.soft(bright, 'the preview shows the paper of the board').toBeGreaterThan(0.5)
  expect.soft((await standing(page)).voice).toBe(before.voice)
  await page.mouse.move(10, 10)
}

// What the menu gives away is a file that any browser plays, from any of its seconds.
async function playsAsFile(page: Page, tracks: 'camera' | 'board' | 'both', taughtS: number): Promise<void> {
  await page.click('[data-testid="download"] summary')
  const address = await page.getAttribute(`[data-testid="download-${tracks}"]`, 'href')
  await page.keyboard.press('Escape')
  const played = await page.evaluate(async source => {
    const video = Object.assign(document.createElement('video'), { src: source, muted: true })
    const once = (name: string) => new Promise((resolve, reject) => {
      video.addEventListener(name, resolve, { once: true })
      video.addEventListener('error', () => reject(new Error(video.error?.message)), { once: true })
    })
    document.body.append(video)
    await once('loadeddata')
    video.currentTime = video.duration / 2
    await once('seeked')
    await video.play()
    await once('timeupdate')
    const state = { duration: video.duration, at: video.currentTime, width: video.videoWidth }
    video.removeAttribute('src')
    video.load()
    video.remove()
    return state
  }, address ?? '')
  console.log(`the file of ${tracks}: ${played.duration.toFixed(2)} s of ${taughtS.toFixed(2)} s, ${played.width} wide, plays from its middle`)
  expect.soft(Math.abs(played.duration - taughtS)).toBeLessThan(0.3)
  expect.soft(played.at).toBeGreaterThanOrEqual(played.duration / 2 - 0.1)
  expect.soft(played.width).toBeGreaterThan(0)
}
