import type { Bell, Schedule } from './bells'
import type { Day, SpecialDay, TermDays } from './days'

/** What the timetable's and dispatch's API speaks of; the names are the wire's own. */

export interface Listed<Item> { items: Item[], next: string | null }

export interface SchoolYear extends TermDays { school_year_id: string, organisation_id: string, name: string }

export interface Term extends TermDays { term_id: string, school_year_id: string, name: string, weeks: number }

export type BellSchedule = Schedule & { bell_schedule_id: string }

export type Stage = 'kindergarten' | 'primary' | 'junior' | 'senior' | 'special' | 'vocational'
export type Program = 'delivery_class' | 'master_class' | 'open_school_class'
export type Mode = 'live' | 'recorded' | 'embedded' | 'observed'
export type Delivery = 'synchronous' | 'dedicated' | 'pushed'
export type LessonState = 'scheduled' | 'open' | 'live' | 'ended' | 'cancelled' | 'missed' | 'archived'
export type CancelKind = 'teacher_away' | 'weather' | 'power_or_network' | 'equipment' | 'school_event' | 'other'
export type Standing = 'active' | 'frozen' | 'cancelled'
export type StandingAct = 'freeze' | 'resume' | 'cancel'
export type Topology = 'centre_with_points' | 'one_to_many_points' | 'one_to_many_schools'

export interface GridLesson {
  lesson_id: string
  organisation_id: string
  title: string
  subject: string
  mode: Mode
  state: LessonState
  teacher_id: string
  teacher: string
  classroom_id: string | null
  class_id: string | null
  /** Of the plan; 1: Monday. On a swapped day it is another one than that of `date`. */
  weekday: number
  period: string
  date: Day
  /** The clock of the school that teaches. */
  zone: string
  /** Rooms may come in from here on. */
  opens_at_ms: number
  starts_at_ms: number
  ends_at_ms: number
  /** Each may come in until a while after its own bell; `null`: until the lesson is over. */
  listening: { classroom_id: string, class_id: string | null, join_until_ms: number | null }[]
  version: number
}

export interface Grid { term_id: string, week_no: number, monday: Day, lessons: GridLesson[] }

/** A county's week, counted by school and day. */
export interface SchoolWeeks {
  term_id: string
  week_no: number
  monday: Day
  schools: { organisation_id: string, name: string, days: { date: Day, lessons: number, cancelled: number, missed: number }[] }[]
}

export type GridBy = 'class' | 'teacher' | 'classroom' | 'organisation'

export interface LessonDetail {
  lesson_id: string
  grade: string
  program: Program
  mode: Mode
  classrooms: { classroom_id: string, name: string, school: string }[]
  recording: { recording_id: string } | null
  may: { watch: boolean, replay: boolean }
}

export interface Transition { from: LessonState, to: LessonState, at_ms: number, actor: string, reason: string }

export interface Clash {
  lesson_id: string
  /** What it is called; empty: it is not kept yet. */
  title: string
  resource: 'teacher' | 'classroom' | 'class' | 'device'
  resource_id: string
  with: string
  /** Empty: it is not the asker's to know. */
  with_title: string
  starts_at_ms: number
  ends_at_ms: number
}

/** `left`: lessons that cannot be given on the other day, and why. */
export interface Dispatched { lesson_ids: string[], clashes: Clash[], left: { lesson_id: string, title: string, why: string }[] }

export type Deed
  = | { kind: 'substitute', lesson_id: string, teacher_id: string }
    | { kind: 'move', lesson_id: string, date: Day, period: string, classroom_id: string | null }
    | { kind: 'swap', lesson_id: string, with: string, with_version: number }
    | { kind: 'cancel', lesson_id: string, reason: { kind: CancelKind, words: string } }
    | { kind: 'move_day', organisation_id: string, from: Day, to: Day, leave_clashing: boolean }

export interface Listening { classroom_id: string, class_id: string | null, interactive: boolean }

interface Taught {
  term_id: string
  organisation_id: string
  title: string
  subject: string
  stage: Stage
  grade: string
  teacher_id: string
  classroom_id: string | null
  class_id: string | null
  program: Program
  mode: Mode
  delivery: Delivery
  listening: Listening[]
}

export interface NewLesson extends Taught { date: Day, period: string }

export interface Weekly { weekday: number, period: string, weeks: string }
export interface NewCourse extends Taught { weekly: Weekly[] }
export interface Course extends NewCourse { course_id: string }

export interface TermPlan {
  planned: number
  /** Lessons that would have begun already: they are left out. */
  past: number
  scheduled: number
  left_out: { course_id: string, week_no: number, weekday: number, period: string, end: number | null, why: string }[]
  clashes: Clash[]
}

export interface Pairing {
  pairing_id: string
  term_id: string
  topology: Topology
  teaching_id: string
  class_ids: string[]
  /** `null`: the whole class, every subject. */
  subjects: string[] | null
  standing: Standing
}

export interface ListeningRight {
  listening_right_id: string
  term_id: string
  teaching_id: string
  class_id: string
  pairing_id: string | null
  subjects: string[] | null
  standing: Standing
}

export interface Organisation { organisation_id: string, parent_id: string | null, kind: string, name: string }
export interface SchoolClass { class_id: string, organisation_id: string, school: string, classroom_id: string | null, stage: Stage, grade: string, name: string }
export interface Classroom { classroom_id: string, organisation_id: string, school: string, name: string }
export interface Person { person_id: string, organisation_id: string, organisation: string, name: string }

export type { Bell, SpecialDay }

/** The subjects of the curriculum, in its order. */
export const SUBJECTS = [
  '道德与法治', '语文', '数学', '英语', '历史', '地理', '科学', '物理', '化学', '生物学', '信息科技', '体育与健康',
  '音乐', '美术', '艺术', '劳动', '综合实践活动', '地方课程', '校本课程',
] as const

/** The grades of the stages that count in years. */
export const GRADES: Readonly<Partial<Record<Stage, readonly string[]>>> = {
  primary: ['一年级', '二年级', '三年级', '四年级', '五年级', '六年级'],
  junior: ['七年级', '八年级', '九年级'],
  senior: ['高一', '高二', '高三'],
}
