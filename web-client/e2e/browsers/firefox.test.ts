// Firefox teaches and Chromium watches, Chromium teaches and Firefox watches; and what Firefox says to H.264.
import type { Browser as Chromium } from 'playwright-core'
import type { Browser as Firefox } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Visitor, launchChromium, visit } from '../support/chromium'
import { launchFirefox, visitFirefox } from '../support/firefox'
import { TestHub } from '../support/hub'
import { BOARD, CAMERA } from '../support/selectors'
import { openDeviceCheck, startLesson } from '../support/teaching'
import { frameAges, shownFrames, longestFreeze, percentile } from '../support/test-pattern'
import { decodeErrors, probeTracks } from '../support/recording'

const WATCHED_SECONDS = 6
const SETTLED_MS = 2500

let hub: TestHub
let chromium: Chromium
let firefox: Firefox

beforeAll(async () => {
  [firefox, chromium] = await Promise.all([launchFirefox(), launchChromium()])
})

afterAll(async () => {
  await firefox?.close()
  await chromium?.close()
})

// A hub for each test, as each teaches the sample's lesson to its end.
beforeEach(async () => {
  hub = await TestHub.start()
})

afterEach(async () => {
  for (const context of chromium.contexts()) await context.close()
  // Its own first page stays, or Firefox would end.
  for (const page of (await firefox.pages()).slice(1)) await page.close()
  await hub?.stop()
})

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

// All that a test needs of a watcher, whichever driver it has.
interface Watcher {
  frames: (selector: string) => Promise<[number, number][]>
  audioStats: () => Promise<{ energy: number, samples: number }>
}

// Both pictures must go on and carry fresh numbers, and the voice must be there.
async function seesAndHears(who: string, watcher: Watcher): Promise<void> {
  await pause(SETTLED_MS)
  const from = Date.now()
  const before = await watcher.audioStats()
  await pause(WATCHED_SECONDS * 1000)
  const after = await watcher.audioStats()
  for (const where of [CAMERA, BOARD]) {
    const frames = (await watcher.frames(where)).filter(([at]) => at >= from)
    const read = frames.filter(([, counter]) => counter >= 0)
    const freeze = longestFreeze(frames)
    console.log(`${who}, ${where}: ${read.length} of ${frames.length} pictures read, longest standstill ${freeze.toFixed(0)} ms, median age ${percentile(frameAges(frames), 0.5).toFixed(0)} ms`)
    expect.soft(read.length).toBeGreaterThan(WATCHED_SECONDS * 3)
    expect.soft(new Set(read.map(([, counter]) => counter)).size).toBeGreaterThan(WATCHED_SECONDS * 3)
    // Loose on purpose: two browsers and two software encoders share what the machine has.
    expect.soft(freeze).toBeLessThan(1500)
  }
  console.log(`${who}: voice energy ${(after.energy - before.energy).toFixed(3)}, ${((after.samples - before.samples) / 48_000).toFixed(2)} s of sound`)
  expect.soft(after.energy - before.energy).toBeGreaterThan(0.005)
}

// How many connections a page has made. One that was made anew counts again.
function connectionsMade(): number {
  return (window as unknown as { connections: RTCPeerConnection[] }).connections.length
}

async function codecsIn(room: Visitor): Promise<string[]> {
  return room.page.evaluate(async () => {
    const { connections } = window as unknown as { connections: RTCPeerConnection[] }
    const found = new Set<string>()
    for (const connection of connections) {
      const stats = await connection.getStats()
      for (const stat of stats.values() as Iterable<Record<string, string>>) {
        if (stat.type === 'inbound-rtp') found.add((stats.get(stat.codecId ?? '') as { mimeType?: string } | undefined)?.mimeType ?? 'none')
      }
    }
    return [...found].sort()
  })
}

async function chromiumTeaches(query: string): Promise<Visitor> {
  const teacher = await openDeviceCheck(chromium, hub, query)
  await startLesson(teacher, { board: true })
  await teacher.page.waitForSelector('[data-testid="sending"][data-state="up"]')
  return teacher
}

test('Firefox teaches: a Chromium classroom sees and hears it, and it is recorded', async () => {
  const teacher = await visitFirefox(firefox, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  await teacher.page.waitForFunction(() => location.pathname === '/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector('[data-testid="share-board"]')
  await teacher.page.click('[data-testid="share-board"]')
  await teacher.page.waitForSelector('[data-testid="board-preview"]')
  await teacher.page.click('[data-testid="start"]')
  await teacher.page.waitForSelector('[data-testid="sending"][data-state="up"]')

  const room = await visit(chromium, hub.at(hub.sample.sign_in_links.classrooms[0] ?? ''), { recordFramesOf: [BOARD, CAMERA] })
  await room.page.waitForSelector('[data-testid="wall"][data-state="live"]')
  await room.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.videoWidth ?? 0) > 0, CAMERA)
  await room.page.keyboard.press('Enter')
  await seesAndHears('Firefox to Chromium', { frames: where => room.page.evaluate(shownFrames, where), audioStats: room.audioStats })
  // Voice and camera on one line, the board on another; neither was given up for dead meanwhile.
  expect.soft(await teacher.page.evaluate(connectionsMade)).toBe(2)
  const codecs = await codecsIn(room)
  console.log(`Firefox sent ${codecs.join(', ')}`)
  expect.soft(codecs).toEqual(['audio/opus', 'video/VP9'])

  const lesson = await teacher.page.evaluate(async id => {
    const answer = await fetch(`/api/v1/lessons/${id}/end`, { method: 'POST' })
    return await answer.json() as { live_at_ms: number, ended_at_ms: number, recording: { recording_id: string } | null }
  }, hub.sample.lesson_id)
  const officer = await visit(chromium, hub.at(hub.sample.sign_in_links.bureau_officer))
  await officer.page.waitForURL('**/lessons')
  const recording = await officer.page.evaluate(async id => {
    const answer = await fetch(`/api/v1/recordings/${id}`)
    return await answer.json() as { main_playlist: string, board_playlist: string }
  }, lesson.recording?.recording_id ?? '')
  const taught = (lesson.ended_at_ms - lesson.live_at_ms) / 1000
  for (const [playlist, codecs] of [[recording.main_playlist, ['vp9', 'opus']], [recording.board_playlist, ['vp9']]] as const) {
    const tracks = await probeTracks(officer.context, hub.origin, playlist)
    console.log(`the lesson took ${taught.toFixed(2)} s, recorded: ${tracks.map(track => `${track.codec} ${track.seconds.toFixed(2)} s`).join('; ')}`)
    expect.soft(tracks.map(track => track.codec)).toEqual(codecs)
    for (const track of tracks) expect.soft(Math.abs(track.seconds - taught)).toBeLessThan(0.5)
    expect.soft(await decodeErrors(officer.context, hub.origin, playlist)).toBe('')
  }

  expect.soft([...teacher.errors, ...room.errors]).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
}, 60_000)

test('Chromium teaches in VP9: a Firefox classroom sees and hears it', async () => {
  const teacher = await chromiumTeaches('&codec=vp9')
  const room = await visitFirefox(firefox, hub.at(hub.sample.sign_in_links.classrooms[0] ?? ''), { recordFramesOf: [BOARD, CAMERA] })
  await room.page.waitForSelector('[data-testid="wall"][data-state="live"]')
  await room.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.videoWidth ?? 0) > 0, {}, CAMERA)
  await room.page.keyboard.press('Enter')
  await seesAndHears('Chromium to Firefox', { frames: where => room.page.evaluate(shownFrames, where), audioStats: room.audioStats })
  expect.soft(await room.page.$('[data-testid="sound"]')).toBeNull()
  expect.soft(await room.page.evaluate(connectionsMade)).toBe(1)

  expect.soft([...teacher.errors, ...room.errors]).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
}, 60_000)

test('a Firefox classroom is told in Chinese that it lacks H.264, and comes in by itself once VP9 flows', async () => {
  // It sits there before the lesson, as classrooms do: nothing flows yet, so nothing can be refused yet.
  const room = await visitFirefox(firefox, hub.at(hub.sample.sign_in_links.classrooms[0] ?? ''), { recordFramesOf: [BOARD, CAMERA] })
  await room.page.waitForSelector('[data-testid="wall"][data-state="waiting"]')
  const teacher = await chromiumTeaches('')
  const began = Date.now()
  await room.page.waitForSelector('[data-testid="wall"][data-state="refused"]')
  const sentence = await room.page.$eval('[data-testid="refusal"]', element => (element as HTMLElement).innerText)
  console.log(`Firefox says, ${((Date.now() - began) / 1000).toFixed(1)} s after the lesson began: ${sentence}`)
  expect.soft(sentence).toBe('这个浏览器放不出老师的画面。请改用新版的 Chromium、Chrome 或 Edge 打开本页。')

  // The teacher opens the desk anew with the setting; nobody touches the classroom.
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p&codec=vp9`)
  await room.page.waitForSelector('[data-testid="wall"][data-state="live"]')
  await room.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.videoWidth ?? 0) > 0, {}, CAMERA)

  expect.soft([...teacher.errors, ...room.errors]).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
}, 60_000)
