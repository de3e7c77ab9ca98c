import type { LessonView, SeatRole, SeatView, Slots } from '../api/model'
import type { QualityReport } from '../media/quality'

export type ClientMessage
  = | { type: 'hello', token: string, seat_id: string | null }
    | { type: 'ping', sent_ms: number }
    | ({ type: 'report' } & QualityReport)
    /** 标记: this moment of the lesson. */
    | { type: 'mark' }

export type ByeReason = 'lesson_ended' | 'replaced' | 'token_expired' | 'shutting_down'

/** `lean`: the hub's disk fills, voice and board are kept, the camera is not. `paused`: it has no room. */
export type Keeping = 'recording' | 'lean' | 'paused'

export type ServerMessage
  = | { type: 'welcome', seat_id: string, role: SeatRole, lesson: LessonView, seats: SeatView[], slots: Slots, now_ms: number }
    | { type: 'lesson', lesson: LessonView }
    | { type: 'seats', seats: SeatView[] }
    | { type: 'slots', slots: Slots }
    /** What flows in the lesson, but finds no room on this place's line. */
    | { type: 'spared', kinds: readonly string[] }
    /** How the recording is doing; the teacher's desk alone is told. */
    | { type: 'keeping', keeping: Keeping }
    | { type: 'pong', sent_ms: number, now_ms: number }
    /** `null`: the lesson is not live, or has as many marks as it may. */
    | { type: 'marked', at_ms: number | null }
    | { type: 'bye', reason: ByeReason }

type Shape = Record<string, 'object' | 'array' | 'number' | 'string'>

const shapes: Record<ServerMessage['type'], Shape> = {
  welcome: { seat_id: 'string', role: 'string', lesson: 'object', seats: 'array', slots: 'object', now_ms: 'number' },
  lesson: { lesson: 'object' },
  seats: { seats: 'array' },
  slots: { slots: 'object' },
  spared: { kinds: 'array' },
  keeping: { keeping: 'string' },
  pong: { sent_ms: 'number', now_ms: 'number' },
  marked: {},
  bye: { reason: 'string' },
}

/**
 * Reads one text frame. `null`: not one of ours, to be passed over.
 *
 * A newer hub may say things this page does not know; that is no reason to fall out of the lesson.
 */
export function parseServerMessage(text: string): ServerMessage | null {
  let message: unknown
  try {
    message = JSON.parse(text)
  }
  catch {
    return null
  }
  if (!isRecord(message) || typeof message.type !== 'string' || !Object.hasOwn(shapes, message.type))
    return null
  const shape = shapes[message.type as ServerMessage['type']]
  const fits = Object.entries(shape).every(([field, kind]) => kindOf(message[field]) === kind)
  return fits ? message as unknown as ServerMessage : null
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return kindOf(value) === 'object'
}
