import type { Claim, Tries } from './ration'
import { expect, it } from 'vitest'
import { comeBack, gaveUp, NO_TRIES, ration, tried } from './ration'

const claim = (aheadS: number, needKbps: number | null, more: Partial<Claim> = {}): Claim =>
  ({ aheadS, needKbps, whole: false, dropped: false, ...more })

it('begins with the voice, then the board, then the camera', () => {
  const claims = (voiceS: number, boardS: number) => [claim(voiceS, 40), claim(boardS, 100), claim(0, null)]
  expect(ration(claims(0, 0), null, 1).fetching).toEqual([true, false, false])
  expect(ration(claims(4, 0), null, 1).fetching).toEqual([true, true, false])
  expect(ration(claims(4, 4), null, 1).fetching).toEqual([true, true, true])
})

it('lets everything after a track wait that runs short', () => {
  expect(ration([claim(1, 40), claim(9, 100), claim(9, 500)], null, 1).fetching).toEqual([true, false, false])
  expect(ration([claim(4, 40), claim(4, 100), claim(9, 500)], null, 2).fetching).toEqual([true, false, false])
})

it('waits for nothing from a track that has all there is', () => {
  expect(ration([claim(0.5, 40, { whole: true }), claim(0, 100)], null, 1).fetching).toEqual([true, true])
})

it.each([
  ['the line carries everything', 700, 1, [false, false, false], null],
  ['the line is not known', null, 1, [false, false, false], null],
  ['the line carries voice and board', 300, 1, [false, false, false], 2],
  ['the lesson is watched at twice the speed', 700, 2, [false, false, false], 2],
  ['the camera is gone, and the rest fits', 300, 1, [false, false, true], null],
  ['the camera is gone, and the board is still too much', 100, 1, [false, false, true], 1],
  ['only the voice is left', 20, 1, [false, true, true], null],
] as const)('when %s', (_, lineKbps, speed, dropped, drop) => {
  const claims = [claim(9, 40), claim(1, 100), claim(0, 500)].map((claim, at) => ({ ...claim, dropped: dropped[at] ?? false }))
  expect(ration(claims, lineKbps, speed).drop).toBe(drop)
})

it('gives nothing up that is not about to stand still', () => {
  expect(ration([claim(9, 40), claim(9, 100), claim(8, 500)], 300, 1).drop).toBeNull()
  expect(ration([claim(9, 40), claim(9, 100), claim(0, 500, { whole: true })], 300, 1).drop).toBeNull()
})

it('says when the line would carry it again', () => {
  const claims = [claim(9, 40), claim(9, 100), claim(0, 500, { dropped: true })]
  expect(ration(claims, 700, 1).room).toBe(false)
  expect(ration(claims, 900, 1).room).toBe(true)
  expect(ration(claims.map(claim => ({ ...claim, dropped: false })), 900, 1).room).toBe(false)
})

const GIVEN_UP = [claim(9, 40), claim(9, 100), claim(0, 500, { dropped: true })]

/** Polls four times a second from `fromMs` on. Gives the time at which a track comes back, and the history then. */
function backAt(before: Tries, fromMs: number, lineKbps: (atMs: number) => number | null, claims: readonly Claim[] = GIVEN_UP, speed = 1): { atMs: number | null, back: number | null, tries: Tries } {
  let tries = before
  for (let atMs = fromMs; atMs <= fromMs + 1_000_000; atMs += 250) {
    const next = comeBack(tries, atMs, claims, lineKbps(atMs), speed)
    tries = next.tries
    if (next.back !== null)
      return { atMs: atMs - fromMs, back: next.back, tries }
  }
  return { atMs: null, back: null, tries }
}

it.each([
  ['enough with a margin', 960, 1, 20_000],
  ['enough without a margin', 950, 1, null],
  ['not known', null, 1, null],
  ['enough for half the speed', 960, 2, null],
  ['enough for twice the speed', 1920, 2, 20_000],
] as const)('brings a picture back by itself after twenty seconds of a line that is %s', (_, lineKbps, speed, expected) => {
  expect(backAt(NO_TRIES, 5_000, () => lineKbps, GIVEN_UP, speed).atMs).toBe(expected)
})

it('begins to count anew when the line was not enough for a moment', () => {
  expect(backAt(NO_TRIES, 0, atMs => atMs === 15_000 ? 700 : 1_000).atMs).toBe(35_250)
})

it('brings back one at a time, the one that is missed most first', () => {
  const both = [claim(9, 40), claim(0, 100, { dropped: true }), claim(0, 500, { dropped: true })]
  expect(backAt(NO_TRIES, 0, () => 210, both)).toMatchObject({ atMs: 20_000, back: 1 })
  expect(backAt(NO_TRIES, 0, () => 209, both).back).toBeNull()
})

it('knows nothing to bring back of a track that was never seen, or was not given up', () => {
  expect(backAt(NO_TRIES, 0, () => 9_000, [claim(9, 40), claim(0, null, { dropped: true })]).back).toBeNull()
  expect(backAt(NO_TRIES, 0, () => 9_000, [claim(9, 40), claim(9, 500)]).back).toBeNull()
})

it('waits twice as long after each try that does not last, to a bound, and forgets them after one that does', () => {
  let tries = NO_TRIES
  let atMs = 0
  const waited = []
  for (let n = 0; n < 6; n++) {
    const next = backAt(tries, atMs, () => 1_000)
    waited.push(next.atMs)
    // Given up again after ten seconds.
    atMs += (next.atMs ?? 0) + 10_000
    tries = gaveUp(next.tries, atMs)
  }
  expect(waited).toEqual([20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
  const lasted = backAt(tries, atMs, () => 1_000)
  atMs += (lasted.atMs ?? 0) + 60_000
  expect(backAt(gaveUp(lasted.tries, atMs), atMs, () => 1_000).atMs).toBe(20_000)
})

it('counts a try by hand as one, also where it takes two pictures with it', () => {
  const failed = gaveUp(gaveUp(tried(NO_TRIES, 1_000), 3_000), 5_000)
  expect(backAt(failed, 5_000, () => 1_000).atMs).toBe(40_000)
})
