import type { components } from './schema'
import type { LessonView, Me, RecordingView, SeatTicket } from './model'
import { ask } from './http'

export type Today = components['schemas']['TodayView']
export type TodayLesson = components['schemas']['TodayLesson']
export type TodayTrouble = components['schemas']['TodayTrouble']
export type LessonReport = components['schemas']['LessonReportView']
export type EndReport = components['schemas']['EndReportView']
export type LessonQuality = components['schemas']['LessonQuality']
export type QualitySeries = components['schemas']['QualitySeries']
export type ReportLine = components['schemas']['ReportLine']
export type Formula = components['schemas']['Formula']
export interface Assistant { person_id: string, name: string }

/** More lessons than any timetable shows at once; stops a cursor that never ends. */
const LESSON_PAGES_MAX = 20

export const signIn = (link: string) => ask<Me>('POST', '/api/v1/sign-in', { link })
export const signOut = () => ask<void>('POST', '/api/v1/sign-out')
export const readMe = () => ask<Me>('GET', '/api/v1/me')

/** Lessons from one day to another, `2026-09-01`; the latest first. */
export async function readLessons(from: string, until: string, recorded = false): Promise<LessonView[]> {
  const lessons: LessonView[] = []
  let cursor: string | null = null
  for (let page = 0; page < LESSON_PAGES_MAX; page++) {
    const query: string = `?from=${from}&until=${until}&recorded=${recorded}${cursor === null ? '' : `&after=${encodeURIComponent(cursor)}`}`
    const answer: { items: LessonView[], next: string | null } = await ask('GET', `/api/v1/lessons${query}`)
    lessons.push(...answer.items)
    cursor = answer.next
    if (cursor === null)
      break
  }
  return lessons
}

export const readToday = () => ask<Today>('GET', '/api/v1/today')

/** Who may stand in this classroom, as its own device asks. */
export const readAssistants = async () => (await ask<{ items: Assistant[] }>('GET', '/api/v1/me/assistants')).items
export const nameAssistant = (person_id: string | null) => ask<void>('PUT', '/api/v1/me/assistant', { person_id })

/** How many pupils sit in this classroom, as its own device says. */
export const countHeads = (lessonId: string, pupils: number) => ask<unknown>('POST', `${lesson(lessonId)}/head-counts`, { pupils })

const lesson = (lessonId: string) => `/api/v1/lessons/${encodeURIComponent(lessonId)}`

export const readLesson = (lessonId: string) => ask<LessonView>('GET', lesson(lessonId))
export const readReport = (lessonId: string) => ask<LessonReport>('GET', `${lesson(lessonId)}/report`)
export const readQuality = (lessonId: string) => ask<LessonQuality>('GET', `${lesson(lessonId)}/quality`)
export const startLesson = (lessonId: string) => ask<LessonView>('POST', `${lesson(lessonId)}/start`)
export const endLesson = (lessonId: string) => ask<LessonView>('POST', `${lesson(lessonId)}/end`)
export const takeSeat = (lessonId: string) => ask<SeatTicket>('POST', `${lesson(lessonId)}/seats`, {})
export const readRecording = (recordingId: string) =>
  ask<RecordingView>('GET', `/api/v1/recordings/${encodeURIComponent(recordingId)}`)
