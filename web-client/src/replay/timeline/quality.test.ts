import { expect, it } from 'vitest'
import { stretchesOf } from './quality'

/** Windows of five seconds, the first ten seconds into the lesson: [shown, loss, freezes, frozen]. */
function series(...windows: [number, number | null, number | null, number | null][]) {
  return {
    name: '景家教学点',
    at_ms: windows.map((_, at) => 1_000_000 + 10_000 + at * 5_000),
    span_ms: windows.map(() => 5_000),
    shown_ms: windows.map(([shown]) => shown),
    loss: windows.map(([, loss]) => loss),
    freezes: windows.map(([, , freezes]) => freezes),
    frozen_ms: windows.map(([, , , frozen]) => frozen),
  }
}
const SHOWN = 5_000

it.each([
  ['good', [SHOWN, 0.029, 0, 0]],
  ['good', [SHOWN, null, null, null]],
  ['poor', [SHOWN, 0.03, 0, 0]],
  ['poor', [SHOWN, 0, 1, 200]],
  ['bad', [SHOWN, 0.1, 0, 0]],
  ['bad', [SHOWN, 0, 1, 1_000]],
  ['away', [0, 0.5, 0, 0]],
] as const)('calls a window %s', (grade, [shown, loss, freezes, frozen]) => {
  expect(stretchesOf(series([shown, loss, freezes, frozen]), 1_000_000)).toEqual([
    { fromS: 10, toS: 15, grade, loss: loss ?? 0, freezes: freezes ?? 0, frozenMs: frozen ?? 0 },
  ])
})

it('puts windows of one grade together and keeps their worst', () => {
  const stretches = stretchesOf(series([SHOWN, 0, 0, 0], [SHOWN, 0.04, 0, 0], [SHOWN, 0.06, 1, 300], [SHOWN, 0, 0, 0]), 1_000_000)
  expect(stretches.map(stretch => [stretch.fromS, stretch.toS, stretch.grade, stretch.loss, stretch.frozenMs])).toEqual([
    [10, 15, 'good', 0, 0],
    [15, 25, 'poor', 0.06, 300],
    [25, 30, 'good', 0, 0],
  ])
})

it('leaves a hole where nothing was told', () => {
  const told = series([SHOWN, 0, 0, 0], [SHOWN, 0, 0, 0])
  told.at_ms[1] = 1_000_000 + 60_000
  expect(stretchesOf(told, 1_000_000).map(stretch => [stretch.fromS, stretch.toS])).toEqual([[10, 15], [60, 65]])
})

it('begins with the lesson, not before it', () => {
  expect(stretchesOf(series([SHOWN, 0, 0, 0]), 1_000_000 + 12_000)).toMatchObject([{ fromS: 0, toS: 3 }])
  expect(stretchesOf(series([SHOWN, 0, 0, 0]), 1_000_000 + 20_000)).toEqual([])
})
