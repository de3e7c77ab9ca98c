import { ask, Refused } from '../../api/http'

/** Where a lesson can be entered: a page was turned, a class came on stage, somebody marked it. */
export interface Chapter {
  at_ms: number
  kind: 'board' | 'stage' | 'mark'
  /** Empty: nobody said what begins there. */
  title: string
}

/** A remark about a second of a lesson. */
export interface Comment {
  at_ms: number
  text: string
  author: { name: string }
}

/** How well one end saw a lesson, in windows of five seconds: the n-th value of each list is of the n-th window. */
export interface QualitySeries {
  name: string
  at_ms: number[]
  span_ms: number[]
  shown_ms: number[]
  /** 0 to 1. `null`: nobody could tell. */
  loss: (number | null)[]
  freezes: (number | null)[]
  frozen_ms: (number | null)[]
}

export interface LessonQuality {
  /** `null`: it never went live. */
  began_at_ms: number | null
  ends: QualitySeries[]
}

const recording = (recordingId: string) => `/api/v1/recordings/${encodeURIComponent(recordingId)}`

/** `null`: not for this person. */
export const readChapters = (recordingId: string) => permitted(async () => (await ask<{ items: Chapter[] }>('GET', `${recording(recordingId)}/chapters`)).items)
export const readComments = (recordingId: string) => permitted(async () => (await ask<{ items: Comment[] }>('GET', `${recording(recordingId)}/comments`)).items)
export const readQuality = (lessonId: string) => permitted(() => ask<LessonQuality>('GET', `/api/v1/lessons/${encodeURIComponent(lessonId)}/quality`))

/** Who may watch a recording may not always see what others thought of it. */
async function permitted<Answer>(read: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await read()
  }
  catch (error) {
    if (error instanceof Refused)
      return null
    throw error
  }
}

/** The file in which these tracks are put together as they were recorded; `composite` is there once it was made. */
export function downloadAddress(recordingId: string, tracks: 'camera' | 'board' | 'both' | 'voice' | 'composite'): string {
  return `${recording(recordingId)}/download?tracks=${tracks}`
}
