/** What the hub's HTTP API and socket speak of. Field names are the wire's own; times are Unix milliseconds. */

export type Role = 'lead_teacher' | 'classroom' | 'bureau_officer'

export type RoleName
  = | 'lead_teacher' | 'assistant' | 'school_administrator' | 'scheduler' | 'patrol' | 'reviewer'
    | 'system_administrator' | 'security_administrator' | 'audit_administrator' | 'operator'

export interface Me {
  session_id: string
  person_id: string | null
  name: string
  /** How the pages of lessons meet them. */
  role: Role
  /** What they are, and where. */
  roles: { role: RoleName, organisation_id: string, until_ms: number | null }[]
  /** `set_up`: a password or a second factor has to be set before anything else. */
  stage: 'full' | 'set_up'
  /** They have bound a second factor. */
  has_second_factor: boolean
  classroom: { classroom_id: string, name: string } | null
  device_id: string | null
  assistant: { person_id: string, name: string } | null
  expires_at_ms: number
}

export type LessonState = 'scheduled' | 'open' | 'live' | 'ended' | 'cancelled' | 'missed' | 'archived'

export interface ClassroomView {
  classroom_id: string
  name: string
  school: string
}

export interface LessonView {
  lesson_id: string
  title: string
  subject: string
  grade: string
  program: string
  mode: string
  teacher: { person_id: string, name: string }
  state: LessonState
  starts_at_ms: number
  ends_at_ms: number
  live_at_ms: number | null
  ended_at_ms: number | null
  classrooms: ClassroomView[]
  guests_max: number
  recording: { recording_id: string, state: RecordingState } | null
  may: { teach: boolean, attend: boolean, watch: boolean, replay: boolean }
  /** The hub's clock when it wrote this view. */
  now_ms: number
}

export type SeatRole = 'teacher' | 'classroom' | 'observer' | 'guest'

export interface SeatTicket {
  seat_id: string
  role: SeatRole
  token: string
  expires_at_ms: number
  whip_url: string
  whep_url: string
  socket_url: string
}

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

export type RecordingState = 'recording' | 'sealed'

export interface Gap {
  from_ms: number
  to_ms: number
  reason: string
}

export interface RecordedTrack {
  kind: string
  codec: string
  width: number | null
  height: number | null
  starts_at_ms: number
  duration_ms: number
  playlist: string
  gaps: Gap[]
}

export interface RecordingView {
  recording_id: string
  lesson: LessonView
  state: RecordingState
  duration_ms: number
  main_playlist: string | null
  board_playlist: string | null
  tracks: RecordedTrack[]
}
