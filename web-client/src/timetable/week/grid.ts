import type { Listening, Pairing } from '../../api/dispatch'
import type { SchoolClass } from '../../api/organisation'
import type { GridBy, GridLesson } from '../../api/timetable'
import type { PeriodRow } from '../../calendar/bells'
import type { Column, Day } from '../../calendar/days'

/** One cell of the grid: a period of a day. */
export interface Place {
  day: Day
  period: string
}

export const keyOf = (place: Place): string => `${place.day} ${place.period}`
export const isSame = (one: Place | null, other: Place | null): boolean => one !== null && other !== null && keyOf(one) === keyOf(other)

/** The lessons of each cell by the day they are given on, the earliest first. */
export function cellsOf(lessons: readonly GridLesson[]): Map<string, GridLesson[]> {
  const cells = new Map<string, GridLesson[]>()
  for (const lesson of [...lessons].sort((a, b) => a.starts_at_ms - b.starts_at_ms || (a.title < b.title ? -1 : 1))) {
    const key = keyOf({ day: lesson.date, period: lesson.period })
    const cell = cells.get(key)
    if (cell === undefined)
      cells.set(key, [lesson])
    else
      cell.push(lesson)
  }
  return cells
}

export type Arrow = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight'

export const isArrow = (key: string): key is Arrow => key.startsWith('Arrow')

/** The next cell that takes lessons; at the edge, the same cell. */
export function step(rows: readonly PeriodRow[], columns: readonly Column[], from: Place, arrow: Arrow): Place {
  const lines = rows.filter(row => row.takesLessons)
  const at = (index: number, of: readonly unknown[]) => Math.min(Math.max(index, 0), of.length - 1)
  const line = lines.findIndex(row => row.period === from.period)
  const column = columns.findIndex(one => one.day === from.day)
  const toLine = lines[at(line + (arrow === 'ArrowDown' ? 1 : arrow === 'ArrowUp' ? -1 : 0), lines)]
  const toColumn = columns[at(column + (arrow === 'ArrowRight' ? 1 : arrow === 'ArrowLeft' ? -1 : 0), columns)]
  return { day: toColumn?.day ?? from.day, period: toLine?.period ?? from.period }
}

/** Lessons that have not begun may be moved; the hub checks again. */
export function isMovable(lesson: GridLesson, nowMs: number): boolean {
  return lesson.state === 'scheduled' && lesson.ends_at_ms > nowMs
}

/** Whether a lesson may be placed there at all; the hub checks again. */
export function isOpenCell(column: Column, row: PeriodRow, today: Day): boolean {
  return column.inTerm && row.takesLessons && column.day >= today && column.note?.kind !== 'off'
}

/** Prefilled fields of a new lesson. */
export interface Draft {
  organisationId: string
  subject: string
  classId: string | null
  classroomId: string | null
  teacherId: string | null
  /** From a lesson of the same week, with classrooms. */
  listening: Listening[]
  /** From a pairing, without classrooms: they are looked up. */
  listeningClasses: string[]
  paired: boolean
}

/** The most frequent lesson of this week; else the pairing's; else only the class or teacher of the grid. */
export function draftFor(
  view: { by: GridBy, id: string, schoolId: string },
  lessons: readonly GridLesson[],
  pairings: readonly Pairing[],
  classes: readonly SchoolClass[],
): Draft {
  const active = pairings.filter(pairing => pairing.standing === 'active')
  const usual = mostFrequent(lessons)
  if (usual !== undefined) {
    const listening = usual.listening.map(end => ({ ...end, interactive: true }))
    const paired = active.some(pairing => pairing.teaching_id === usual.organisation_id && covers(pairing, usual.subject))
    return {
      organisationId: usual.organisation_id, subject: usual.subject, classId: usual.class_id, classroomId: usual.classroom_id,
      teacherId: usual.teacher_id, listening, listeningClasses: [], paired,
    }
  }
  const own = view.by === 'class' ? view.id : null
  const pairing = active.find(one => own !== null && one.class_ids.includes(own)) ?? active.find(one => one.teaching_id === view.schoolId)
  const teachesHere = pairing === undefined || pairing.teaching_id === view.schoolId
  const seated = view.by === 'class'
    ? classes.find(one => one.class_id === view.id)
    : view.by === 'classroom' ? classes.find(one => one.classroom_id === view.id) : classes[0]
  return {
    organisationId: pairing?.teaching_id ?? view.schoolId,
    subject: pairing?.subjects?.[0] ?? '英语',
    classId: teachesHere ? seated?.class_id ?? null : null,
    classroomId: view.by === 'classroom' && teachesHere ? view.id : teachesHere ? seated?.classroom_id ?? null : null,
    teacherId: view.by === 'teacher' ? view.id : null,
    listening: [],
    listeningClasses: pairing?.class_ids ?? [],
    paired: pairing !== undefined,
  }
}

function covers(pairing: Pairing, subject: string): boolean {
  return pairing.subjects === null || pairing.subjects.includes(subject)
}

function mostFrequent(lessons: readonly GridLesson[]): GridLesson | undefined {
  const kindOf = (lesson: GridLesson) => `${lesson.teacher_id} ${lesson.class_id} ${lesson.subject}`
  const counts = new Map<string, number>()
  for (const lesson of lessons)
    counts.set(kindOf(lesson), (counts.get(kindOf(lesson)) ?? 0) + 1)
  return [...lessons].sort((a, b) => (counts.get(kindOf(b)) ?? 0) - (counts.get(kindOf(a)) ?? 0))[0]
}

/** 景家教学点: a teaching point, whose lessons come from its own centre school. */
export function shortPlace(name: string, home: string): string {
  return home !== '' && name.startsWith(home) && name.length > home.length ? name.slice(home.length).trim() : name
}
