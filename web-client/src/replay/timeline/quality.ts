import type { QualitySeries } from '../../api/report'

/** How well an end received a stretch of the lesson; `away`: the lesson was not on its screen. */
export type Grade = 'good' | 'poor' | 'bad' | 'away'

/** What is needed of one end's windows: the n-th value of each list is of the n-th window. */
export type ReceptionSeries = Pick<QualitySeries, 'at_ms' | 'span_ms' | 'shown_ms' | 'loss' | 'freezes' | 'frozen_ms'>

export interface Stretch {
  fromS: number
  toS: number
  grade: Grade
  /** The highest share of packets lost in one window, 0 to 1. */
  loss: number
  freezes: number
  frozenMs: number
}

/** One end's windows in the lesson's time, those that follow each other in the same grade put together. */
export function stretchesOf(series: ReceptionSeries, beganAtMs: number): Stretch[] {
  const stretches: Stretch[] = []
  series.at_ms.forEach((at, window) => {
    const fromS = Math.max(0, (at - beganAtMs) / 1000)
    const toS = (at + (series.span_ms[window] ?? 0) - beganAtMs) / 1000
    if (toS <= fromS)
      return
    const loss = series.loss[window] ?? 0
    const freezes = series.freezes[window] ?? 0
    const frozenMs = series.frozen_ms[window] ?? 0
    const grade = gradeOf(series.shown_ms[window] ?? 0, loss, frozenMs)
    const last = stretches.at(-1)
    if (last !== undefined && last.grade === grade && fromS - last.toS < SEAM_S) {
      last.toS = toS
      last.loss = Math.max(last.loss, loss)
      last.freezes += freezes
      last.frozenMs += frozenMs
    }
    else {
      stretches.push({ fromS, toS, grade, loss, freezes, frozenMs })
    }
  })
  return stretches
}

function gradeOf(shownMs: number, loss: number, frozenMs: number): Grade {
  if (shownMs === 0)
    return 'away'
  if (loss >= BAD_LOSS || frozenMs >= BAD_FROZEN_MS)
    return 'bad'
  return loss >= POOR_LOSS || frozenMs > 0 ? 'poor' : 'good'
}

/** Loss below this is fully repaired. */
const POOR_LOSS = 0.03
/** One picture in ten needs a repair. */
const BAD_LOSS = 0.1
/** Frozen time in a window of five seconds. */
const BAD_FROZEN_MS = 1_000
/** Tolerance between windows: the accuracy of a timer. */
const SEAM_S = 1
