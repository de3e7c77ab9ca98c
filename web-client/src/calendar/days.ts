import type { SpecialDay } from '../api/timetable'

/** A day of the calendar, as the hub writes it: `2026-09-01`. */
export type Day = string

export interface TermDays {
  first_day: Day
  last_day: Day
}

export type DayNote
  = | { kind: 'off', name: string, /** The day on which its lessons are given; `null`: they are dropped. */ givenOn: Day | null }
    | { kind: 'swapped', name: string, taughtAs: Day }

export interface Column {
  day: Day
  /** 1: Monday. */
  weekday: number
  inTerm: boolean
  note: DayNote | null
}

const DAY_MS = 86_400_000
/** All schools are in one time zone, without daylight saving time. */
const ZONE_OFFSET_MS = 8 * 3_600_000

const midnight = (day: Day) => Date.parse(`${day}T00:00:00Z`)

export function addDays(day: Day, days: number): Day {
  return new Date(midnight(day) + days * DAY_MS).toISOString().slice(0, 10)
}

export function daysBetween(from: Day, until: Day): number {
  return Math.round((midnight(until) - midnight(from)) / DAY_MS)
}

/** 1: Monday, 7: Sunday. */
export function weekdayOf(day: Day): number {
  return (new Date(midnight(day)).getUTCDay() + 6) % 7 + 1
}

export function mondayOf(day: Day): Day {
  return addDays(day, 1 - weekdayOf(day))
}

/** The day in the school's time zone, regardless of the browser's. */
export function schoolDay(ms: number): Day {
  return new Date(ms + ZONE_OFFSET_MS).toISOString().slice(0, 10)
}

/** Minutes after the school's midnight. */
export function schoolMinute(ms: number): number {
  return Math.floor((ms + ZONE_OFFSET_MS) % DAY_MS / 60_000)
}

/** 第几周: week 1 holds the term's first day. `null`: not in the term. */
export function weekOf(term: TermDays, day: Day): number | null {
  if (day < term.first_day || day > term.last_day)
    return null
  return Math.floor(daysBetween(mondayOf(term.first_day), day) / 7) + 1
}

export function mondayOfWeek(term: TermDays, week: number): Day {
  return addDays(mondayOf(term.first_day), (week - 1) * 7)
}

/** The term that a day lies in, else the next one to come, else the last one. */
export function termFor<Term extends TermDays>(terms: readonly Term[], day: Day): Term | undefined {
  const byTime = [...terms].sort((a, b) => a.first_day < b.first_day ? -1 : 1)
  return byTime.find(term => term.last_day >= day) ?? byTime.at(-1)
}

/** The seven days of a week with their notes. `lineage`: the school, then its ancestors. */
export function columnsOf(term: TermDays, week: number, days: readonly SpecialDay[], lineage: readonly string[]): Column[] {
  const monday = mondayOfWeek(term, week)
  const noteOf = notesFor(days, lineage)
  return Array.from({ length: 7 }, (_, index) => {
    const day = addDays(monday, index)
    return { day, weekday: index + 1, inTerm: day >= term.first_day && day <= term.last_day, note: noteOf(day) }
  })
}

/** Notes about days; the school's own take precedence over the bureau's. */
export function notesFor(days: readonly SpecialDay[], lineage: readonly string[]): (day: Day) => DayNote | null {
  const byDay = new Map<Day, SpecialDay>()
  const madeUpOn = new Map<Day, Day>()
  const farthestFirst = days
    .filter(day => lineage.includes(day.organisation_id))
    .sort((a, b) => lineage.indexOf(b.organisation_id) - lineage.indexOf(a.organisation_id))
  for (const special of farthestFirst) {
    byDay.set(special.date, special)
    if (special.taught_as !== null)
      madeUpOn.set(special.taught_as, special.date)
  }
  return (day) => {
    const special = byDay.get(day)
    if (special === undefined)
      return null
    if (special.taught_as !== null)
      return { kind: 'swapped', name: special.name, taughtAs: special.taught_as }
    return { kind: 'off', name: special.name, givenOn: madeUpOn.get(day) ?? null }
  }
}

/** 11月21日 · 21 Nov */
export function shortDay(day: Day, language: string): string {
  if (language === 'en')
    return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(midnight(day))
  return `${Number(day.slice(5, 7))}月${Number(day.slice(8, 10))}日`
}

/** 周六 · Sat */
export function weekdayName(weekday: number, language: string): string {
  if (language === 'en')
    return ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][weekday - 1] ?? ''
  return `周${'一二三四五六日'.charAt(weekday - 1)}`
}

/** 11月21日 周六 · Sat, 21 Nov */
export function longDay(day: Day, language: string): string {
  const [date, weekday] = [shortDay(day, language), weekdayName(weekdayOf(day), language)]
  return language === 'en' ? `${weekday}, ${date}` : `${date} ${weekday}`
}
