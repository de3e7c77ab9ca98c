import type { components, operations } from './schema'

/** What the timetable's and dispatch's API speaks of, as the hub describes it. */

type Schema = components['schemas']

export interface Listed<Item> { items: Item[], next: string | null }

export type SchoolYear = Schema['SchoolYearView']
export type NewSchoolYear = Schema['NewSchoolYear']
export type Term = Schema['TermView']
export type NewTerm = Schema['NewTerm']
export type BellSchedule = Schema['BellScheduleView']
export type NewBellSchedule = Schema['NewBellSchedule']

export type Stage = Schema['Stage']
export type Program = Schema['Program']
export type Mode = Schema['Mode']
export type LessonState = Schema['LessonState']
export type CancelKind = Schema['CancelKind']
export type Standing = Schema['Standing']
export type StandingAct = Schema['StandingAct']
export type Topology = Schema['Topology']

export type GridLesson = Schema['GridLessonView']
export type Grid = Schema['GridView']
/** A county's week, counted by school and day. */
export type SchoolWeeks = Schema['SchoolsView']
export type GridBy = operations['week_grid']['parameters']['query']['by']

export type LessonDetail = Schema['LessonView']
export type Transition = Schema['TransitionView']

export type Clash = Schema['ClashView']
export type Dispatched = Schema['Dispatched']
export type Deed = Schema['DeedAsk']

export type Listening = Schema['ListeningAsk']
/** A form knows every field; the hub takes what may be empty left out as well. */
export type NewLesson = Required<Omit<Schema['NewLessonAsk'], 'device_ids' | 'dry_run'>>
export type Weekly = Schema['WeeklyView']
export type NewCourse = Required<Schema['NewCourse']>
export type Course = Schema['CourseView']
export type TermPlan = Schema['TermPlanView']

export type Pairing = Schema['PairingView']
export type NewPairing = Schema['NewPairing']
export type ListeningRight = Schema['ListeningRightView']
export type NewListeningRight = Schema['NewListeningRight']

export type Organisation = Schema['KeptOrganisation']
export type SchoolClass = Schema['KeptClass']
export type Classroom = Schema['KeptClassroom']
export type Person = Schema['KeptPerson']

export type { Bell } from '../calendar/bells'
export type { SpecialDay } from '../calendar/days'

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
