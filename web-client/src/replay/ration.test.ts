import type { Claim } from './ration'
import { expect, it } from 'vitest'
import { ration } from './ration'

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
