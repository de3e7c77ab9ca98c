// A lesson as an MP4 file: played by Chromium from its address, sought, cut to a clip, both pictures put into one frame, taken
// apart by ffmpeg.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium } from '../support/chromium'
import { TestHub } from '../support/hub'
import { endLesson, openDeviceCheck, startLesson } from '../support/teaching'
import { STEP_MS } from '../support/test-pattern'
import { decodeErrors, counterAt, probeTracks } from '../support/recording'

const run = promisify(execFile)
const FILE = '#file'
const SECONDS = 14

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

// Shows a file in a page of the hub, where nothing but a <video> with its address plays it.
async function show(page: Page, address: string): Promise<{ duration: number, width: number, ready: number }> {
  return page.evaluate(async src => {
    document.querySelector('#file')?.remove()
    const video = Object.assign(document.createElement('video'), { id: 'file', muted: true, preload: 'auto' })
    const asked = performance.now()
    const ready = new Promise<void>((resolve, reject) => {
      video.addEventListener('canplay', () => resolve())
      video.addEventListener('error', () => reject(new Error(`${video.error?.code} ${video.error?.message}`)))
    })
    document.body.append(video)
    video.src = src
    await ready
    return { duration: video.duration, width: video.videoWidth, ready: performance.now() - asked }
  }, address)
}

test('a recording is a file that plays from anywhere', async () => {
  const teacher = await openDeviceCheck(browser, hub, '', { recordFramesOf: [FILE] })
  const { page } = teacher
  await startLesson(teacher, { board: true })
  await page.waitForTimeout(SECONDS * 1000)
  const asked = await page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}`)).json() as Promise<{ recording: { recording_id: string } }>, hub.sample.lesson_id)
  const path = `/api/v1/recordings/${asked.recording.recording_id}`

  // While the lesson goes on: what is durable of it is a file already.
  const running = await probeTracks(teacher.context, hub.origin, `${path}/download?tracks=both`)
  console.log('while it runs', JSON.stringify(running))
  expect.soft(running.map(track => track.codec)).toEqual(['h264', 'h264', 'opus'])
  expect.soft(await decodeErrors(teacher.context, hub.origin, `${path}/download?tracks=both`)).toBe('')

  await endLesson(teacher)
  await page.goto(`${hub.origin}/lessons`)
  const manifest = await page.evaluate(async from => (await fetch(from)).json() as Promise<{ duration_ms: number, chapters: { at_ms: number }[], tracks: { kind: string, loudness: { integrated_lufs: number } | null }[] }>, path)
  console.log('loudness', JSON.stringify(manifest.tracks.find(track => track.kind === 'voice')?.loudness), 'chapters', JSON.stringify(manifest.chapters))
  expect.soft(manifest.tracks.find(track => track.kind === 'voice')?.loudness?.integrated_lufs ?? -100).toBeGreaterThan(-60)
  // Nobody has turned a page: a wave moves on it, and a light flashes.
  expect.soft(manifest.chapters.length).toBeLessThanOrEqual(1)
  const duration = manifest.duration_ms / 1000

  for (const [tracks, width] of [['camera', 640], ['board', 1280], ['both', 1280]] as const) {
    const address = `${path}/download?tracks=${tracks}`
    const shown = await show(page, address)
    const early = await counterAt(page, FILE, 6)
    const late = await counterAt(page, FILE, duration - 2)
    const expected = early.counter + (late.second - early.second) * 1000 / STEP_MS
    console.log(`${tracks}: ready in ${shown.ready.toFixed(0)} ms, ${shown.duration.toFixed(3)} s of ${duration.toFixed(3)}, ${shown.width} wide, counter ${late.counter}, expected ${expected.toFixed(1)}`)
    expect.soft(Math.abs(shown.duration - duration)).toBeLessThan(0.1)
    expect.soft(shown.width).toBe(width)
    expect.soft(Math.abs(late.counter - expected)).toBeLessThanOrEqual(2 + 80 / STEP_MS)
    expect.soft(await decodeErrors(teacher.context, hub.origin, address)).toBe('')
  }
  const spoken = await show(page, `${path}/download?tracks=voice`)
  expect.soft(Math.abs(spoken.duration - duration)).toBeLessThan(0.1)

  // A clip begins at its very picture: the same that the whole file shows there.
  await show(page, `${path}/download?tracks=camera`)
  const whole = await counterAt(page, FILE, 7.37)
  const clip = `${path}/download?tracks=camera&from_ms=6370&to_ms=9370`
  const cut = await show(page, clip)
  const same = await counterAt(page, FILE, 1)
  console.log(`clip: ${cut.duration.toFixed(3)} s, counter ${same.counter} at 1 s of it, ${whole.counter} at 7.37 s of the whole`)
  expect.soft(Math.abs(cut.duration - 3)).toBeLessThan(0.06)
  expect.soft(Math.abs(same.counter - whole.counter)).toBeLessThanOrEqual(1)
  expect.soft(await decodeErrors(teacher.context, hub.origin, clip)).toBe('')

  // Both pictures in one frame: asked for, given up, and made, by keys alone; then it is a file like the others.
  await page.goto(`${hub.origin}/replay/${asked.recording.recording_id}`)
  await page.focus('[data-testid="download"] summary')
  await page.keyboard.press('Enter')
  const state = (name: string) => page.waitForSelector(`[data-testid="composite"][data-state="${name}"]`, { timeout: 120_000 })
  const press = async (button: string) => {
    await page.waitForFunction(where => document.querySelector(where) !== null, `[data-testid="${button}"]:not(:disabled)`)
    await page.focus(`[data-testid="${button}"]`)
    await page.keyboard.press('Enter')
  }
  await state('none')
  await press('composite-make')
  await state('making')
  await page.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'composite-cancel')
  await page.keyboard.press('Enter')
  await state('none')
  await press('composite-make')
  await state('making')
  expect.soft(await page.locator('[data-testid="download"] summary').textContent()).toMatch(/\d+%$/)
  const begun = Date.now()
  await state('ready')
  const link = page.locator('[data-testid="download-composite"]')
  expect.soft(await link.textContent()).toMatch(/\d (kB|MB)$/)
  const framed = await link.getAttribute('href') ?? ''
  expect(framed).toBe(`${path}/download?tracks=composite`)
  await page.goto(`${hub.origin}/lessons`)
  const frame = await show(page, framed)
  const early = await counterAt(page, FILE, 6)
  const late = await counterAt(page, FILE, duration - 2)
  const expected = early.counter + (late.second - early.second) * 1000 / STEP_MS
  console.log(`composite: made in ${((Date.now() - begun) / 1000).toFixed(1)} s, ${frame.duration.toFixed(3)} s of ${duration.toFixed(3)}, ${frame.width} wide, counter ${late.counter}, expected ${expected.toFixed(1)}`)
  expect.soft(Math.abs(frame.duration - duration)).toBeLessThan(0.2)
  expect.soft(frame.width).toBe(1280)
  expect.soft(Math.abs(late.counter - expected)).toBeLessThanOrEqual(2 + 80 / STEP_MS)
  expect.soft((await probeTracks(teacher.context, hub.origin, framed)).map(track => track.codec)).toEqual(['h264', 'opus'])
  expect.soft(await decodeErrors(teacher.context, hub.origin, framed)).toBe('')

  expect.soft(teacher.errors).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
})
