import type { DiskLevel, SchoolUse } from '../api/retention'

export interface Span { unit: 'seconds' | 'minutes' | 'hours' | 'daysLong', count: number }

/** A duration in its largest useful unit. */
export function span(ms: number): Span {
  const seconds = Math.max(0, Math.round(Math.abs(ms) / 1_000))
  if (seconds < 60)
    return { unit: 'seconds', count: seconds }
  if (seconds < 3_600)
    return { unit: 'minutes', count: Math.round(seconds / 60) }
  if (seconds < 172_800)
    return { unit: 'hours', count: Math.round(seconds / 3_600) }
  return { unit: 'daysLong', count: Math.round(seconds / 86_400) }
}

/** ●: everything is recorded. ▲: something soon is not. ■: little or nothing is. */
export function diskShape(level: DiskLevel): string {
  switch (level) {
    case 'fine': return '●'
    case 'low':
    case 'tight': return '▲'
    case 'lean':
    case 'paused': return '■'
  }
}

/** Length of a school's bar, 0 to 1: of its limit where it has one, else of the largest school. */
export function share(school: Pick<SchoolUse, 'fill_per_mille' | 'used_bytes'>, most: number): number {
  const of = school.fill_per_mille ?? (most > 0 ? school.used_bytes / most * 1_000 : 0)
  return Math.min(1, Math.max(0, of / 1_000))
}

/** Whole days until then, 0: today. */
export function daysUntil(ms: number, nowMs: number): number {
  return Math.max(0, Math.floor((ms - nowMs) / 86_400_000))
}
