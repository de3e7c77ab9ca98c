import { expect, test } from 'vitest'
import { PlayoutDelay } from './playout'

/** A line of fifty voice packets a second, `seconds` long. Returns the last delay. */
function hear(playout: PlayoutDelay, from: number, seconds: number, loss: number, before = { lost: 0, received: 0 }) {
  let delay: number | null = null
  for (let second = 1; second <= seconds; second++) {
    before.lost += 50 * loss
    before.received += 50 * (1 - loss)
    delay = playout.note((from + second) * 1000, { ...before, roundTripMs: 80 })
  }
  return { delay, counters: before }
}

test('a clean line is left to the browser', () => {
  expect(hear(new PlayoutDelay(), 0, 60, 0).delay).toBeNull()
})

test('more is lost, more is waited, and never longer than a second', () => {
  const delays = [0.01, 0.05, 0.1, 0.2, 0.4].map(loss => hear(new PlayoutDelay(), 0, 15, loss).delay ?? 0)
  expect(delays).toEqual([176, 260, 340, 460, 460])
})

test('a lossy line is known within three seconds and forgotten step by step', () => {
  const playout = new PlayoutDelay()
  const { delay, counters } = hear(playout, 0, 3, 0.1)
  expect(delay).toBe(340)
  expect(hear(playout, 3, 19, 0, counters).delay).toBe(340)
  expect(hear(playout, 22, 120, 0, counters).delay).toBeNull()
})

test('counters of a new connection begin again', () => {
  const playout = new PlayoutDelay()
  playout.note(1000, { lost: 500, received: 5000, roundTripMs: 80 })
  expect(playout.note(2000, { lost: 0, received: 50, roundTripMs: 80 })).not.toBeNaN()
})
