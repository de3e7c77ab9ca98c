import type { LessonView, Role } from '../api/model'
import { dayOf } from '../locale/time'

export interface LessonDay {
  startsAtMs: number
  lessons: LessonView[]
}

/** Lessons by day: today first, then the coming days, then past ones, newest first. Within a day by time. */
export function byDay(lessons: readonly LessonView[], nowMs: number): LessonDay[] {
  const days = new Map<number, LessonView[]>()
  for (const lesson of lessons) {
    const day = dayOf(lesson.starts_at_ms)
    days.set(day, [...days.get(day) ?? [], lesson])
  }
  const today = dayOf(nowMs)
  const distance = (day: number) => day >= today ? day - today : Number.MAX_SAFE_INTEGER / 2 + today - day
  return [...days]
    .sort(([a], [b]) => distance(a) - distance(b))
    .map(([startsAtMs, list]) => ({ startsAtMs, lessons: list.sort((a, b) => a.starts_at_ms - b.starts_at_ms) }))
}

export interface Step {
  word: 'teach' | 'teachAgain' | 'prepare' | 'attend' | 'watch' | 'replay'
  to: string
  /** Shown as the primary action. */
  urgent: boolean
}

/** The main action of this person for this lesson; `null`: none yet. */
export function nextStep(lesson: LessonView, role: Role): Step | null {
  const { may, state, lesson_id: id, recording } = lesson
  const running = state === 'open' || state === 'live'
  if (may.teach && state !== 'ended')
    return { word: state === 'live' ? 'teachAgain' : running ? 'teach' : 'prepare', to: `/teach/${id}`, urgent: running }
  if (running && may.attend && role === 'classroom')
    return { word: 'attend', to: `/classroom/${id}`, urgent: true }
  if (running && may.watch)
    return { word: 'watch', to: `/watch/${id}`, urgent: state === 'live' }
  if (may.replay && recording !== null)
    return { word: 'replay', to: `/replay/${recording.recording_id}`, urgent: false }
  return null
}
