import type { EndReport, Formula } from '../api/report'

export type Verdict = EndReport['judged']['verdict']
export type AttendanceState = EndReport['state']

/** A shape beside each word, so that no state depends on colour alone. */
export const verdictShapes: Record<Verdict, string> = { valid: '●', short: '▲', cancelled: '✕', missed: '■', unjudged: '○' }
export const stateShapes: Record<AttendanceState, string> = { present: '●', late: '▲', left_early: '▲', late_and_left_early: '▲', absent: '■', unknown: '○' }

export const verdicts = ['valid', 'short', 'cancelled', 'missed', 'unjudged'] as const satisfies readonly Verdict[]

/** 3 分 12 秒 · 3 min 12 s */
export function length(ms: number, language: string): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60]
  if (language === 'en')
    return minutes === 0 ? `${rest} s` : rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
  return minutes === 0 ? `${rest} 秒` : rest === 0 ? `${minutes} 分` : `${minutes} 分 ${rest} 秒`
}

/** 09:40:07 */
export function second(ms: number): string {
  const date = new Date(ms)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(part => String(part).padStart(2, '0')).join(':')
}

export const percent = (share: number | null | undefined, digits = 1): string => share == null ? '–' : `${(share * 100).toFixed(digits)}%`
export const figure = (value: number | null | undefined, digits = 0): string => value == null ? '–' : value.toFixed(digits)

/** The explanation of one figure. `null`: the hub did not send it. */
export const formulaOf = (formulas: readonly Formula[], name: string): Formula | null => formulas.find(formula => formula.figure === name) ?? null

/** A span of time on a lesson's bar, as percentages. `null`: outside of it. */
export function onBar(from: number, until: number, begins: number, ends: number): { left: string, width: string } | null {
  const whole = ends - begins
  const [left, right] = [Math.max(from, begins), Math.min(until, ends)]
  if (whole <= 0 || right <= left)
    return null
  return { left: `${((left - begins) / whole * 100).toFixed(3)}%`, width: `${((right - left) / whole * 100).toFixed(3)}%` }
}
