import type { LessonView, SeatRole, SeatView, Slots } from '../api/model'
import type { QualityReport } from '../media/quality'

export type ClientMessage
  = | { type: 'hello', token: string, seat_id: string | null }
    | { type: 'ping', sent_ms: number }
    | ({ type: 'report' } & QualityReport)
    /** 标记: this moment of the lesson. */
    | { type: 'mark' }

export type ByeReason = 'lesson_ended' | 'replaced' | 'token_expired' | 'shutting_down'

/** `lean`: the disk is nearly full, voice and board are recorded, the camera is not. `paused`: the disk is full. */
export type RecordingHealth = 'recording' | 'lean' | 'paused'

export type ServerMessage
  = | { type: 'welcome', seat_id: string, role: SeatRole, lesson: LessonView, seats: SeatView[], slots: Slots, now_ms: number }
    | { type: 'lesson', lesson: LessonView }
    | { type: 'seats', seats: SeatView[] }
    | { type: 'slots', slots: Slots }
    /** Tracks that flow in the lesson but are paused here for lack of bandwidth. */
    | { type: 'spared', kinds: readonly string[] }
    /** State of the recording; sent to the teacher's seat only. */
    | { type: 'keeping', keeping: RecordingHealth }
    | { type: 'pong', sent_ms: number, now_ms: number }
    /** `null`: the lesson is not live, or has reached the limit of marks. */
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
 * Parses one text frame. `null`: unknown message, ignored.
 *
 * A newer hub may send messages that this page does not know.
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
