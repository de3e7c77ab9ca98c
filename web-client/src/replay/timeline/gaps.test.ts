import { expect, it } from 'vitest'
import { gapsOf, isPlanned } from './gaps'

const gap = (from_ms: number, to_ms: number, reason: 'crash' | 'loss' | 'away' = 'loss') => ({ from_ms, to_ms, reason })

it('lists gaps in the order of the lesson', () => {
  expect(gapsOf([{ kind: 'voice', gaps: [gap(50_000, 60_000)] }, { kind: 'board', gaps: [gap(1_000, 2_000)] }]).map(gap => [gap.tracks, gap.fromMs]))
    .toEqual([[['board'], 1_000], [['voice'], 50_000]])
})

it('tells an outage once for all that it befell', () => {
  const gaps = gapsOf([
    { kind: 'voice', gaps: [gap(10_000, 20_100), gap(90_000, 95_000, 'away')] },
    { kind: 'camera', gaps: [gap(9_960, 22_000)] },
    { kind: 'board', gaps: [gap(10_000, 20_000, 'crash')] },
  ])
  expect(gaps).toEqual([
    { tracks: ['camera', 'voice'], reason: 'loss', fromMs: 9_960, toMs: 22_000 },
    { tracks: ['board'], reason: 'crash', fromMs: 10_000, toMs: 20_000 },
    { tracks: ['voice'], reason: 'away', fromMs: 90_000, toMs: 95_000 },
  ])
  expect(gaps.map(isPlanned)).toEqual([false, false, true])
})

it('says nothing of the moment before the first picture, but of every loss', () => {
  expect(gapsOf([{ kind: 'voice', gaps: [gap(0, 400, 'away'), gap(5_000, 5_200)] }])).toHaveLength(1)
})

it('keeps two outages of one track apart, however near', () => {
  expect(gapsOf([{ kind: 'voice', gaps: [gap(1_000, 2_000), gap(2_500, 3_500)] }])).toHaveLength(2)
})
