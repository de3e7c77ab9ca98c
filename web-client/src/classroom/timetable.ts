import type { LessonView } from '../api/model'
import { dayOf } from '../locale/time'

/** The lesson that this classroom shows now: a live one, else an open one; `null`: none. */
export function lessonNow(lessons: readonly LessonView[], pinned: string | null): LessonView | null {
  const running = lessons.filter(lesson => lesson.may.attend && (lesson.state === 'live' || lesson.state === 'open'))
  const asked = running.find(lesson => lesson.lesson_id === pinned)
  // Of two live lessons, the one with the later bell: the earlier one was not ended by mistake.
  const byBell = [...running].sort((a, b) => b.starts_at_ms - a.starts_at_ms)
  return asked ?? byBell.find(lesson => lesson.state === 'live') ?? byBell.at(-1) ?? null
}

/** The next lesson of today; `null`: none. */
export function lessonNext(lessons: readonly LessonView[], nowMs: number, except: string | null = null): LessonView | null {
  return lessons
    .filter(lesson => lesson.lesson_id !== except && (lesson.state === 'scheduled' || lesson.state === 'open' || lesson.state === 'live') && lesson.ends_at_ms > nowMs && dayOf(lesson.starts_at_ms) === dayOf(nowMs))
    .sort((a, b) => a.starts_at_ms - b.starts_at_ms)[0] ?? null
}
