import { expect, it } from 'vitest'
import { correct } from './step'

it.each([
  ['in step', 10, 10.03, false, { kind: 'rate', rate: 1 }],
  ['a little ahead', 10, 10.05, false, { kind: 'rate', rate: 0.95 }],
  ['a little behind', 10, 9.9, false, { kind: 'rate', rate: 1.05 }],
  ['still being corrected', 10, 10.03, true, { kind: 'rate', rate: 0.95 }],
  ['back in step', 10, 10.01, true, { kind: 'rate', rate: 1 }],
  ['far ahead', 10, 10.4, false, { kind: 'seek', toS: 10 }],
  ['far behind', 10, 3, true, { kind: 'seek', toS: 10 }],
] as const)('a board that is %s', (_, leaderS, followerS, correcting, correction) => {
  expect(correct(leaderS, followerS, 1, correcting)).toEqual(correction)
})

it('keeps in step at the speed that the viewer chose', () => {
  expect(correct(10, 10, 2, false)).toEqual({ kind: 'rate', rate: 2 })
  expect(correct(10, 9.9, 2, false)).toEqual({ kind: 'rate', rate: 2.1 })
})
