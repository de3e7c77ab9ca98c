// ffmpeg pushes H.264 and Opus by WHIP: seen and heard in a Chromium classroom, recorded, played back whole.
// Its offer says setup:passive, so the hub begins the DTLS handshake.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Visitor, launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { CAMERA } from '../support/selectors'
import { shownFrames, longestFreeze, percentile } from '../support/test-pattern'
import { beepOffsets, decodeErrors, probeTracks } from '../support/recording'
import { requirePackage } from './python'

const run = promisify(execFile)
const FPS = 25
const WATCHED_SECONDS = 8

let ffmpeg: string
let hub: TestHub
let browser: Browser
let pusher: ChildProcess | undefined

beforeAll(async () => {
  await run('ffmpeg', ['-version']).catch(() => { throw new Error('NOT RUN: ffmpeg is missing') })
  ffmpeg = await requirePackage('imageio_ffmpeg', 'imageio_ffmpeg.get_ffmpeg_exe()')
  const formats = await run(ffmpeg, ['-hide_banner', '-muxers']).catch(() => ({ stdout: '' }))
  if (!/ E +whip /.test(formats.stdout)) throw new Error('NOT RUN: the ffmpeg of imageio-ffmpeg has no whip')
  hub = await TestHub.start()
  browser = await launchChromium()
})

afterAll(async () => {
  pusher?.kill('SIGKILL')
  await browser?.close()
  await hub?.stop()
})

// The strip that test-pattern.ts reads, painted by ffmpeg: the number of the frame, in boxes that come and go.
function countedPicture(): string {
  const gray = (bit: number) => `mod(floor(n/${2 ** bit})+floor(n/${2 ** (bit + 1)}),2)`
  const sum = 'mod(mod(n,256)*7+mod(floor(n/256),256)*13+91,256)'
  const cells = ['1', '0', '1', '0']
  // Eleven bits of the 24 are enough for 80 seconds; the others stay black.
  for (let bit = 23; bit >= 0; bit--) cells.push(bit < 11 ? gray(bit) : '0')
  for (let bit = 7; bit >= 0; bit--) cells.push(`mod(floor(${sum}/${2 ** bit}),2)`)
  cells.push('0', '1', '0', '1')
  const box = (x: number, y: number, width: number, height: number, color: string, enable: string) =>
    `drawbox=x=${x}:y=${y}:w=${width}:h=${height}:color=${color}:t=fill:enable='${enable}'`
  return [
    box(0, 0, 640, 24, 'black', '1'),
    ...cells.flatMap((cell, at) => cell === '0' ? [] : [box(at * 16, 0, 16, 24, 'white', cell)]),
    // The flash, at every even second.
    box(256, 270, 128, 72, 'black', '1'),
    box(256, 270, 128, 72, 'white', 'lt(mod(t,2),0.12)'),
  ].join(',')
}

function push(): { ended: Promise<number | null>, said: () => string } {
  const tone = 'aevalsrc=0.5*sin(2*PI*1000*t)*lt(mod(t\\,2)\\,0.12)+0.01*sin(2*PI*220*t):sample_rate=48000'
  // As fast as a camera. Plain "-re" begins with half a second at once, and is ahead of the clock ever after.
  const paced = ['-readrate', '1', '-readrate_initial_burst', '0.001']
  pusher = spawn(ffmpeg, [
    '-hide_banner', '-v', 'warning', '-nostats',
    ...paced, '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=${FPS}`, ...paced, '-f', 'lavfi', '-i', tone,
    '-vf', countedPicture(), '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'baseline',
    '-pix_fmt', 'yuv420p', '-g', `${2 * FPS}`, '-b:v', '700k', '-c:a', 'libopus', '-ac', '2', '-b:a', '32k',
    '-f', 'whip', '-authorization', hub.sample.publish_token, hub.sample.whip_url,
  ], { stdio: ['pipe', 'ignore', 'pipe'] })
  let said = ''
  pusher.stderr?.on('data', (chunk: Buffer) => { said += chunk.toString() })
  const ended = new Promise<number | null>(resolve => pusher?.once('exit', code => resolve(code)))
  return { ended, said: () => said }
}

async function watchFor(room: Visitor, seconds: number): Promise<[number, number][]> {
  const from = Date.now()
  await room.page.waitForTimeout(seconds * 1000)
  return (await room.page.evaluate(shownFrames, CAMERA)).filter(([at]) => at >= from)
}

test('ffmpeg teaches by WHIP: a classroom sees and hears it, and it is recorded', async () => {
  const room = await visit(browser, hub.at(hub.sample.sign_in_links.classrooms[0] ?? ''), { recordFramesOf: [CAMERA] })
  await room.page.waitForSelector('[data-testid="wall"][data-state="waiting"]')

  const pushed = push()
  // The teacher's first packet begins the lesson.
  await room.page.waitForSelector('[data-testid="wall"][data-state="live"]').catch((error: unknown) => {
    throw new Error(`the lesson did not begin: ${pushed.said()}\n${hub.log}`, { cause: error })
  })
  await room.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.videoWidth ?? 0) === 640, CAMERA)
  await room.page.keyboard.press('Enter')
  await room.page.waitForTimeout(1500)

  const before = await room.audioStats()
  const frames = await watchFor(room, WATCHED_SECONDS)
  const after = await room.audioStats()
  const counters = frames.map(([, counter]) => counter).filter(counter => counter >= 0)
  const counted = (counters.at(-1) ?? 0) - (counters[0] ?? 0)
  const freeze = longestFreeze(frames)
  console.log(`ffmpeg in Chromium: ${counters.length} of ${frames.length} pictures read, counter went ${counted} in ${WATCHED_SECONDS} s, longest standstill ${freeze.toFixed(0)} ms, voice energy ${(after.energy - before.energy).toFixed(3)}`)
  expect.soft(counters.length).toBeGreaterThan(WATCHED_SECONDS * 5)
  expect.soft(Math.abs(counted - WATCHED_SECONDS * FPS)).toBeLessThan(2 * FPS)
  expect.soft(freeze).toBeLessThan(1000)
  expect.soft(after.energy - before.energy).toBeGreaterThan(0.01)
  expect.soft(room.errors).toEqual([])

  // Signed in before ffmpeg leaves, so that the lesson ends right after it.
  const teacher = await visit(browser, hub.at(hub.sample.sign_in_links.teacher))
  await teacher.page.waitForURL('**/lessons')

  // "q" ends ffmpeg as a person would: it finishes its streams and sends its DELETE.
  pusher?.stdin?.write('q')
  expect.soft(await pushed.ended).toBe(0)
  console.log(`ffmpeg ended and said: ${pushed.said().trim() || 'nothing'}`)

  const lesson = await teacher.page.evaluate(async id => {
    const answer = await fetch(`/api/v1/lessons/${id}/end`, { method: 'POST' })
    return await answer.json() as { live_at_ms: number, ended_at_ms: number, recording: { recording_id: string } | null }
  }, hub.sample.lesson_id)
  await room.page.waitForSelector('[data-testid="wall"][data-state="over"]')
  const recording = await teacher.page.evaluate(async id => {
    const answer = await fetch(`/api/v1/recordings/${id}`)
    return await answer.json() as { main_playlist: string, duration_ms: number }
  }, lesson.recording?.recording_id ?? '')

  const taught = (lesson.ended_at_ms - lesson.live_at_ms) / 1000
  const tracks = await probeTracks(teacher.context, hub.origin, recording.main_playlist)
  console.log(`the lesson took ${taught.toFixed(2)} s, recorded: ${tracks.map(track => `${track.codec} ${track.seconds.toFixed(2)} s, ${track.samples} samples`).join('; ')}`)
  expect.soft(tracks.map(track => track.codec)).toEqual(['h264', 'opus'])
  for (const track of tracks) expect.soft(Math.abs(track.seconds - taught)).toBeLessThan(0.5)
  expect.soft(tracks[0]?.samples).toBeGreaterThan(WATCHED_SECONDS * FPS)
  const offsets = await beepOffsets(teacher.context, hub.origin, recording.main_playlist)
  console.log(`beep after flash: median ${(percentile(offsets.map(beep => beep.lateS), 0.5) * 1000).toFixed(0)} ms of ${offsets.length}`)
  expect.soft(offsets.length).toBeGreaterThan(WATCHED_SECONDS / 2 - 2)
  expect.soft(await decodeErrors(teacher.context, hub.origin, recording.main_playlist)).toBe('')

  expect.soft(hub.errorLines()).toEqual([])
}, 60_000)
