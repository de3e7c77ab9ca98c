import type { Bell, BellSchedule } from '../api/timetable'
import type { PeriodKind } from '../locale/period'
import type { Day } from './days'
import { readPeriod } from '../locale/period'

/** The bells of a season, without id and version. */
export type Schedule = Omit<BellSchedule, 'bell_schedule_id' | 'version'>

export type DayPart = 'morning' | 'afternoon' | 'evening'

/** One row of the week grid. */
export interface PeriodRow {
  period: string
  kind: PeriodKind
  number: number
  /** Courses can be placed here; the other rows are breaks. */
  takesLessons: boolean
  part: DayPart
  /** The week's usual bells, for the margin. */
  startsMin: number
  endsMin: number
}

const NOON_MIN = 12 * 60
const DUSK_MIN = 18 * 60

export function holdsOn(schedule: Pick<Schedule, 'from_day' | 'until_day'>, day: Day): boolean {
  const { from_day: from, until_day: until } = schedule
  const monthDay = day.slice(5)
  return from <= until ? from <= monthDay && monthDay <= until : from <= monthDay || monthDay <= until
}

/** The schedule of the nearest organisation, the stage's own before the general one. `undefined`: none. */
export function scheduleOn<Kept extends Schedule>(schedules: readonly Kept[], lineage: readonly string[], stage: string | null, day: Day): Kept | undefined {
  return schedules
    .filter(one => lineage.includes(one.organisation_id) && holdsOn(one, day) && (one.stage === null || stage === null || one.stage === stage))
    .sort((a, b) => lineage.indexOf(a.organisation_id) - lineage.indexOf(b.organisation_id) || Number(a.stage === null) - Number(b.stage === null))[0]
}

export function partOf(startsMin: number): DayPart {
  return startsMin < NOON_MIN ? 'morning' : startsMin < DUSK_MIN ? 'afternoon' : 'evening'
}

/** The rows of a week: every period of its schedules, with the bells of the first schedule that has it. */
export function rowsOf(schedules: readonly (Schedule | undefined)[], extra: readonly Bell[] = []): PeriodRow[] {
  const rows = new Map<string, PeriodRow>()
  const bells = [...schedules.flatMap(schedule => schedule?.periods ?? []), ...extra]
  for (const bell of bells) {
    if (rows.has(bell.period))
      continue
    const { kind, number } = readPeriod(bell.period)
    const takesLessons = kind === 'lesson' || kind === 'early_study' || kind === 'evening_study'
    rows.set(bell.period, { period: bell.period, kind, number, takesLessons, part: partOf(bell.starts_min), startsMin: bell.starts_min, endsMin: bell.ends_min })
  }
  return [...rows.values()].sort((a, b) => a.startsMin - b.startsMin || a.endsMin - b.endsMin)
}

/** A period's bells on a day if they differ from the margin; `null`: the same, or none. */
export function otherBells(row: PeriodRow, schedule: Schedule | undefined): Bell | null {
  const bell = schedule?.periods.find(one => one.period === row.period)
  return bell !== undefined && (bell.starts_min !== row.startsMin || bell.ends_min !== row.endsMin) ? bell : null
}

/** 08:20 */
export function clock(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
}

/** Parses 08:20; `null`: not a time of day. */
export function readClock(text: string): number | null {
  const found = /^([01]?\d|2[0-4])[:：]([0-5]\d)$/.exec(text.trim())
  const minute = found === null ? Number.NaN : Number(found[1]) * 60 + Number(found[2])
  return minute <= 1440 ? minute : null
}

/** The first error in a day's bells; `null`: valid. */
export function slipOf(bells: readonly Bell[]): { period: string, why: 'ends_before' | 'overlaps' | 'twice' } | null {
  for (const [index, bell] of bells.entries()) {
    if (bell.ends_min <= bell.starts_min)
      return { period: bell.period, why: 'ends_before' }
    if (bells.slice(0, index).some(before => before.period === bell.period))
      return { period: bell.period, why: 'twice' }
    if (index > 0 && bell.starts_min < (bells[index - 1]?.ends_min ?? 0))
      return { period: bell.period, why: 'overlaps' }
  }
  return null
}
