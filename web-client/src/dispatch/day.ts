import type { GridLesson } from '../api/timetable'

export type Group = 'school' | 'teacher'

export type Trouble
  = | { kind: 'clash', resource: 'teacher' | 'classroom' | 'class', with: string }
    | { kind: 'missed' }
    | { kind: 'late', minutes: number }
    | { kind: 'nobody_listens' }

export interface DayRow {
  id: string
  lessons: GridLesson[]
  /** Keyed by lesson. */
  troubles: Map<string, Trouble[]>
  /** Sort key, the gravest first. 0: no trouble. */
  weight: number
}

const LATE_FROM_MIN = 1
const WEIGHT: Record<Trouble['kind'], number> = { clash: 1000, missed: 100, late: 100, nobody_listens: 1 }

/** Troubles of each lesson of a day. The hub prevents clashes now; older lessons may have some. */
export function troublesOf(lessons: readonly GridLesson[], nowMs: number): Map<string, Trouble[]> {
  const troubles = new Map<string, Trouble[]>()
  const add = (id: string, trouble: Trouble) => troubles.set(id, [...troubles.get(id) ?? [], trouble])
  for (const [key, holders] of byResource(lessons)) {
    const resource = key.split(' ')[0] as 'teacher' | 'classroom' | 'class'
    const sorted = [...holders].sort((a, b) => a.starts_at_ms - b.starts_at_ms)
    for (const [index, one] of sorted.entries()) {
      for (const other of sorted.slice(index + 1)) {
        if (other.starts_at_ms >= one.ends_at_ms)
          break
        add(one.lesson_id, { kind: 'clash', resource, with: other.title })
        add(other.lesson_id, { kind: 'clash', resource, with: one.title })
      }
    }
  }
  for (const lesson of lessons) {
    if (lesson.state === 'missed')
      add(lesson.lesson_id, { kind: 'missed' })
    const minutes = Math.floor((nowMs - lesson.starts_at_ms) / 60_000)
    if ((lesson.state === 'scheduled' || lesson.state === 'open') && minutes >= LATE_FROM_MIN && nowMs < lesson.ends_at_ms)
      add(lesson.lesson_id, { kind: 'late', minutes })
    if (lesson.listening.length === 0 && lesson.state !== 'cancelled')
      add(lesson.lesson_id, { kind: 'nobody_listens' })
  }
  return troubles
}

/** One row per school or teacher, conflicts and missed lessons first. */
export function dayRowsOf(lessons: readonly GridLesson[], group: Group, nowMs: number, names: (id: string) => string): DayRow[] {
  const troubles = troublesOf(lessons, nowMs)
  const lines = new Map<string, DayRow>()
  for (const lesson of [...lessons].sort((a, b) => a.starts_at_ms - b.starts_at_ms)) {
    const id = group === 'school' ? lesson.organisation_id : lesson.teacher_id
    const line: DayRow = lines.get(id) ?? { id, lessons: [], troubles: new Map(), weight: 0 }
    lines.set(id, line)
    line.lessons.push(lesson)
    const own = troubles.get(lesson.lesson_id)
    if (own !== undefined) {
      line.troubles.set(lesson.lesson_id, own)
      line.weight += own.reduce((sum, trouble) => sum + WEIGHT[trouble.kind], 0)
    }
  }
  return [...lines.values()].sort((a, b) => b.weight - a.weight || names(a.id).localeCompare(names(b.id), 'zh') || (a.id < b.id ? -1 : 1))
}

/** The hours that a day's strip spans, whole hours in minutes after midnight. */
export function spanOf(minutes: readonly { from: number, until: number }[]): { from: number, until: number } {
  const from = Math.min(8 * 60, ...minutes.map(one => one.from))
  const until = Math.max(17 * 60, ...minutes.map(one => one.until))
  return { from: Math.floor(from / 60) * 60, until: Math.ceil(until / 60) * 60 }
}

function byResource(lessons: readonly GridLesson[]): Map<string, GridLesson[]> {
  const holders = new Map<string, GridLesson[]>()
  for (const lesson of lessons) {
    if (lesson.state === 'cancelled')
      continue
    const classrooms = [lesson.classroom_id, ...lesson.listening.map(end => end.classroom_id)].filter(id => id !== null)
    const classes = [lesson.class_id, ...lesson.listening.map(end => end.class_id)].filter(id => id !== null)
    const keys = [`teacher ${lesson.teacher_id}`, ...classrooms.map(id => `classroom ${id}`), ...classes.map(id => `class ${id}`)]
    for (const key of new Set(keys)) {
      const held = holders.get(key)
      if (held === undefined)
        holders.set(key, [lesson])
      else
        held.push(lesson)
    }
  }
  return holders
}
