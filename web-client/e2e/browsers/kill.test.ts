// kill -9 in the middle of a lesson, five times (ten in `make deep`): all pages reconnect by themselves and the same
// recording goes on.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Visitor, launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { CAMERA } from '../support/selectors'
import { endLesson, openDeviceCheck, startLesson } from '../support/teaching'
import { shownFrames, percentile } from '../support/test-pattern'
import { decodeErrors } from '../support/recording'

const KILLS = process.env.DEEP === undefined ? 5 : 10
const RESTART_AFTER_MS = 200

interface Gap { from_ms: number, to_ms: number, reason: string }
interface Recording { duration_ms: number, main_playlist: string, tracks: { kind: string, gaps: Gap[] }[] }

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

// When a picture taken after `since` is shown in the room, in wall-clock milliseconds.
async function backAt(room: Visitor, since: number): Promise<number> {
  const deadline = Date.now() + 20_000
  while (Date.now() < deadline) {
    const frames = await room.page.evaluate(shownFrames, CAMERA)
    const fresh = frames.find(([at, counter]) => at > since && counter >= 0)
    if (fresh !== undefined) return fresh[0]
    await room.page.waitForTimeout(50)
  }
  throw new Error('a classroom did not come back')
}

test(`killed ${KILLS} times, the lesson goes on`, async () => {
  const teacher = await openDeviceCheck(browser, hub)
  await startLesson(teacher, { board: false })
  const rooms: Visitor[] = []
  for (const link of hub.sample.sign_in_links.classrooms.slice(0, 2)) {
    const room = await visit(browser, hub.at(link), { recordFramesOf: [CAMERA] })
    await room.page.waitForSelector('[data-testid="wall"][data-state="live"]')
    rooms.push(room)
  }
  await Promise.all(rooms.map(room => backAt(room, 0)))
  const lesson = async () => teacher.page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}`)).json() as Promise<{ live_at_ms: number, recording: { recording_id: string, state: string } }>, hub.sample.lesson_id)
  const before = await lesson()

  const killed: number[] = []
  const backs: number[] = []
  for (let round = 0; round < KILLS; round++) {
    await teacher.page.waitForTimeout(3000 + (round * 7919) % 2500)
    killed.push(Date.now())
    await hub.kill('SIGKILL')
    await new Promise(resolve => setTimeout(resolve, RESTART_AFTER_MS))
    await hub.launch()
    const up = Date.now()
    const at = await Promise.all(rooms.map(room => backAt(room, up)))
    for (const back of at) backs.push(back - (killed[round] ?? 0))
    expect.soft((await lesson()).recording.recording_id).toBe(before.recording.recording_id)
  }
  await teacher.page.waitForTimeout(3000)
  await endLesson(teacher)

  const recording = await teacher.page.evaluate(async id => (await fetch(`/api/v1/recordings/${id}`)).json() as Promise<Recording>, before.recording.recording_id)
  const lost: number[] = []
  for (const track of recording.tracks) {
    const crashes = track.gaps.filter(gap => gap.reason === 'crash')
    for (const [round, at] of killed.entries()) {
      const moment = at - before.live_at_ms
      const gap = crashes.find(gap => gap.from_ms <= moment + 200 && gap.to_ms >= moment)
      expect.soft(gap, `${track.kind}: kill ${round + 1} is a named gap`).toBeDefined()
      if (gap !== undefined) lost.push(moment - gap.from_ms)
    }
  }
  console.log(`back after kill -9: p50 ${percentile(backs, 0.5).toFixed(0)} ms, worst ${Math.max(...backs).toFixed(0)} ms of ${backs.length}`)
  console.log(`recorded media lost: p50 ${percentile(lost, 0.5).toFixed(0)} ms, worst ${Math.max(...lost).toFixed(0)} ms of ${lost.length}`)
  expect.soft(percentile(backs, 0.95)).toBeLessThan(5000)
  expect.soft(Math.max(...lost)).toBeLessThan(2000)
  expect.soft(await decodeErrors(teacher.context, hub.origin, recording.main_playlist)).toBe('')
  expect.soft(hub.errorLines()).toEqual([])
})
