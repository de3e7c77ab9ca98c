/** Lessons of today and of other days, and what is done with one. */
import type { LessonView, RecordingView, Schema, SeatTicket } from './model'
import { ask } from './http'
import { API, withQuery } from './resource'

export type Today = Schema['TodayView']
export type TodayLesson = Schema['TodayLesson']
export type TodayTrouble = Schema['TodayTrouble']
export type Transition = Schema['TransitionView']

/** More lessons than any timetable shows at once; stops a cursor that never ends. */
const LESSON_PAGES_MAX = 20

/** Lessons from one day to another, `2026-09-01`; the latest first. */
export async function readLessons(from: string, until: string, recorded = false): Promise<LessonView[]> {
  const lessons: LessonView[] = []
  let after: string | null = null
  for (let page = 0; page < LESSON_PAGES_MAX; page++) {
    const answer: { items: LessonView[], next: string | null } = await ask('GET', withQuery(`${API}/lessons`, { from, until, recorded, after }))
    lessons.push(...answer.items)
    after = answer.next
    if (after === null)
      break
  }
  return lessons
}

export const readToday = () => ask<Today>('GET', `${API}/today`)

const lesson = (lessonId: string) => `${API}/lessons/${encodeURIComponent(lessonId)}`

export const readLesson = (lessonId: string) => ask<LessonView>('GET', lesson(lessonId))
export const readTransitions = async (lessonId: string) => (await ask<{ items: Transition[] }>('GET', `${lesson(lessonId)}/transitions`)).items
export const startLesson = (lessonId: string) => ask<LessonView>('POST', `${lesson(lessonId)}/start`)
export const endLesson = (lessonId: string) => ask<LessonView>('POST', `${lesson(lessonId)}/end`)
export const takeSeat = (lessonId: string) => ask<SeatTicket>('POST', `${lesson(lessonId)}/seats`, {})
/** The number of pupils in this classroom; sent by the classroom's own device. */
export const countHeads = (lessonId: string, pupils: number) => ask<unknown>('POST', `${lesson(lessonId)}/head-counts`, { pupils })

export const readRecording = (recordingId: string) => ask<RecordingView>('GET', `${API}/recordings/${encodeURIComponent(recordingId)}`)
