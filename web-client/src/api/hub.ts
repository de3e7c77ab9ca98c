import type { LessonView, Me, RecordingView, SeatTicket } from './model'
import { ask } from './http'

/** More lessons than any timetable shows at once; stops a cursor that never ends. */
const LESSON_PAGES_MAX = 20

export const signIn = (link: string) => ask<Me>('POST', '/api/v1/sign-in', { link })
export const signOut = () => ask<void>('POST', '/api/v1/sign-out')
export const readMe = () => ask<Me>('GET', '/api/v1/me')

export async function readLessons(): Promise<LessonView[]> {
  const lessons: LessonView[] = []
  let cursor: string | null = null
  for (let page = 0; page < LESSON_PAGES_MAX; page++) {
    const query: string = cursor === null ? '' : `?after=${encodeURIComponent(cursor)}`
    const answer: { items: LessonView[], next: string | null } = await ask('GET', `/api/v1/lessons${query}`)
    lessons.push(...answer.items)
    cursor = answer.next
    if (cursor === null)
      break
  }
  return lessons
}

const lesson = (lessonId: string) => `/api/v1/lessons/${encodeURIComponent(lessonId)}`

export const readLesson = (lessonId: string) => ask<LessonView>('GET', lesson(lessonId))
export const startLesson = (lessonId: string) => ask<LessonView>('POST', `${lesson(lessonId)}/start`)
export const endLesson = (lessonId: string) => ask<LessonView>('POST', `${lesson(lessonId)}/end`)
export const takeSeat = (lessonId: string) => ask<SeatTicket>('POST', `${lesson(lessonId)}/seats`, {})
export const readRecording = (recordingId: string) =>
  ask<RecordingView>('GET', `/api/v1/recordings/${encodeURIComponent(recordingId)}`)
