import { expect, it } from 'vitest'
import { Throughput } from './throughput'

/** `kbps` for `seconds`, looked at five times a second. */
function fetching(meter: Throughput, state: { ms: number, bytes: number }, seconds: number, kbps: number): void {
  for (let look = 0; look < seconds * 5; look++) {
    meter.sample(state.ms, state.bytes, kbps > 0)
    state.ms += 200
    state.bytes += kbps * 200 / 8
  }
  meter.sample(state.ms, state.bytes, false)
}

it('says nothing before it has seen enough', () => {
  const meter = new Throughput()
  fetching(meter, { ms: 0, bytes: 0 }, 1, 300)
  expect(meter.kbps).toBeNull()
})

it('counts only the time in which something was on its way', () => {
  const meter = new Throughput()
  const state = { ms: 0, bytes: 0 }
  fetching(meter, state, 4, 300)
  fetching(meter, state, 60, 0)
  fetching(meter, state, 4, 300)
  expect(meter.kbps).toBeCloseTo(300)
})

it('forgets what the line once was', () => {
  const meter = new Throughput()
  const state = { ms: 0, bytes: 0 }
  fetching(meter, state, 30, 4_000)
  fetching(meter, state, 20, 300)
  expect(meter.kbps).toBeCloseTo(300)
  meter.forget()
  expect(meter.kbps).toBeNull()
})

it('forgets what a line was twenty seconds ago, also where it is idle most of the time since', () => {
  const line = new Throughput()
  let bytes = 0
  for (let atMs = 0; atMs <= 15_000; atMs += 250)
    line.sample(atMs, bytes += 300 * 250 / 8, true)
  expect(line.kbps).toBeCloseTo(300, -1)
  // A segment of 40 kB in a tenth of a second, every four.
  for (let atMs = 19_000; atMs <= 39_000; atMs += 4_000) {
    line.sample(atMs, bytes, true)
    line.sample(atMs + 100, bytes += 40_000, false)
  }
  expect(line.kbps).toBeCloseTo(3_200)
})
