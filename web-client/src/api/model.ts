import type { components } from './schema'

/** Types of the hub's HTTP API and socket. Field names are those of the wire; times are Unix milliseconds. */

/** The schemas of docs/openapi.json by name. */
export type Schema = components['schemas']

export type Role = Schema['Part']
export type RoleName = Schema['Role']
export type Me = Schema['Me']

export type LessonState = Schema['LessonState']
export type ClassroomView = Schema['ListedClassroom']
export type LessonView = Schema['LessonView']

export type SeatRole = Schema['SeatRole']
export type SeatTicket = Schema['SeatTicket']

export type Gap = Schema['GapManifest']
export type RecordedTrack = Schema['TrackManifest']
export type RecordingView = Schema['RecordingView']
export type RecordingMay = Schema['RecordingMay']

// Messages of the socket, which docs/openapi.json does not describe.

export type Presence = 'online' | 'weak' | 'lost'

export interface SeatView {
  seat_id: string
  role: SeatRole
  name: string
  classroom_id: string | null
  presence: Presence
  receiving: boolean
  joined_at_ms: number
}

export interface Slot {
  flowing: boolean
  codec: 'opus' | 'h264' | 'vp9' | 'av1' | 'vp8' | null
}

export interface Slots {
  voice: Slot
  board: Slot
  camera: Slot
  stage: Slot
  stage_voice: Slot
}
