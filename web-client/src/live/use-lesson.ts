import type { Ref } from 'vue'
import type { LessonView, SeatView, Slots } from '../api/model'
import type { Credentials } from '../media/connection'
import type { Admission, Connection } from './lesson-session'
import type { RecordingHealth, ServerMessage } from './wire'
import { onScopeDispose, readonly, shallowRef } from 'vue'
import { takeSeat } from '../api/lesson'
import { LessonSession } from './lesson-session'

const still = { flowing: false, codec: null } as const
const nothingFlows: Slots = { voice: still, board: still, camera: still, stage: still, stage_voice: still }

export interface LessonHandle {
  session: LessonSession
  credentials: Credentials
  admission: () => Admission | null
  connection: Readonly<Ref<Connection>>
  /** `null`: not received yet. */
  lesson: Readonly<Ref<LessonView | null>>
  seats: Readonly<Ref<readonly SeatView[]>>
  slots: Readonly<Ref<Slots>>
  /** Tracks that flow in the lesson but are paused here for lack of bandwidth. */
  pausedKinds: Readonly<Ref<readonly string[]>>
  /** The answer to the last mark. `null`: none yet. */
  marked: Readonly<Ref<{ atMs: number | null } | null>>
  /** State of the recording. */
  recordingHealth: Readonly<Ref<RecordingHealth>>
  /** The hub's clock now, or at a moment of this machine's clock. */
  hubNowMs: (nowMs?: number) => number
}

/** One seat in one lesson, until the scope is disposed. `onWelcome` runs at each (re)connect. */
export function useLesson(admit: () => Promise<Admission>, onWelcome: (own: SeatView | null) => void = () => {}): LessonHandle {
  const connection = shallowRef<Connection>({ kind: 'idle' })
  const lesson = shallowRef<LessonView | null>(null)
  const seats = shallowRef<readonly SeatView[]>([])
  const slots = shallowRef<Slots>(nothingFlows)
  const pausedKinds = shallowRef<readonly string[]>([])
  const marked = shallowRef<{ atMs: number | null } | null>(null)
  const recordingHealth = shallowRef<RecordingHealth>('recording')

  const session = new LessonSession({
    admit,
    onConnection: next => connection.value = next,
    onMessage: handle,
  })

  function handle(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        lesson.value = message.lesson
        seats.value = message.seats
        slots.value = message.slots
        pausedKinds.value = []
        onWelcome(message.seats.find(seat => seat.seat_id === message.seat_id) ?? null)
        break
      case 'lesson':
        lesson.value = message.lesson
        break
      case 'seats':
        seats.value = message.seats
        break
      case 'slots':
        slots.value = message.slots
        break
      case 'spared':
        pausedKinds.value = message.kinds
        break
      case 'marked':
        marked.value = { atMs: message.at_ms }
        break
      case 'keeping':
        recordingHealth.value = message.keeping
        break
    }
  }

  session.start()
  onScopeDispose(() => session.close())

  return {
    session,
    credentials: {
      token: () => session.admission?.token ?? null,
      renew: async () => (await session.renew()).token,
    },
    admission: () => session.admission,
    connection: readonly(connection) as Readonly<Ref<Connection>>,
    lesson: readonly(lesson) as Readonly<Ref<LessonView | null>>,
    seats: readonly(seats) as Readonly<Ref<readonly SeatView[]>>,
    slots: readonly(slots) as Readonly<Ref<Slots>>,
    pausedKinds: readonly(pausedKinds) as Readonly<Ref<readonly string[]>>,
    marked: readonly(marked) as Readonly<Ref<{ atMs: number | null } | null>>,
    recordingHealth: readonly(recordingHealth),
    hubNowMs: (nowMs = Date.now()) => nowMs + session.clockOffsetMs,
  }
}

/** Admission by the session cookie. */
export async function admitByCookie(lessonId: string): Promise<Admission> {
  const ticket = await takeSeat(lessonId)
  return {
    token: ticket.token,
    seatId: ticket.seat_id,
    whipUrl: ticket.whip_url,
    whepUrl: ticket.whep_url,
    socketUrl: ticket.socket_url,
  }
}

/** Admission of a guest by the token of a link. */
export function admitByToken(lessonId: string, token: string): Admission {
  const lesson = encodeURIComponent(lessonId)
  return {
    token,
    seatId: null,
    whipUrl: `/whip/${lesson}`,
    whepUrl: `/whep/${lesson}`,
    socketUrl: `/api/v1/lessons/${lesson}/socket`,
  }
}
