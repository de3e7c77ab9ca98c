/** School years, terms, bells, special days, courses, and the week's paper. */
import type { Schema } from './model'
import type { operations } from './schema'
import { ask } from './http'
import { add, API, listAll, listItems, withQuery } from './resource'

export type SchoolYear = Schema['SchoolYearView']
export type Term = Schema['TermView']
export type TermPlan = Schema['TermPlanView']
export type BellSchedule = Schema['BellScheduleView']
/** One period of a day, in minutes after midnight. */
export type Bell = Schema['PeriodView']
/** A holiday or a swapped day; of the bureau, or of one school. */
export type SpecialDay = Required<Schema['Holiday']>
export type Weekly = Schema['WeeklyView']
export type Course = Schema['CourseView']
type NewCourse = Required<Schema['NewCourse']>

export type GridLesson = Schema['GridLessonView']
export type Grid = Schema['GridView']
export type GridBy = operations['week_grid']['parameters']['query']['by']
/** A county's week, counted by school and day. */
export type SchoolWeeks = Schema['SchoolsView']

/** A plan of a whole term, and a county's week, take seconds. */
const PLAN_WITHIN_MS = 60_000

/** The subjects of the curriculum, in its order. */
export const SUBJECTS = [
  '道德与法治', '语文', '数学', '英语', '历史', '地理', '科学', '物理', '化学', '生物学', '信息科技', '体育与健康',
  '音乐', '美术', '艺术', '劳动', '综合实践活动', '地方课程', '校本课程',
] as const

export const readYears = () => listItems<SchoolYear>('school-years')
export const addYear = (year: Schema['NewSchoolYear']) => add<SchoolYear>('school-years', year)
export const readTerms = () => listItems<Term>('terms')
export const addTerm = (term: Schema['NewTerm']) => add<Term>('terms', term)
export const planTerm = (termId: string, organisation_id: string, dry_run: boolean) =>
  ask<TermPlan>('POST', `${API}/terms/${termId}/lessons`, { organisation_id, dry_run }, {}, PLAN_WITHIN_MS)

export const readSpecialDays = (from: string, until: string) => listItems<SpecialDay>('holidays', { from, until })
export const setSpecialDay = (day: SpecialDay) => ask<SpecialDay>('PUT', `${API}/holidays`, day)
export const clearSpecialDay = (organisation_id: string, date: string) => ask<void>('DELETE', withQuery(`${API}/holidays`, { organisation_id, date }))

export const readSchedules = () => listItems<BellSchedule>('bell-schedules')
export const addSchedule = (schedule: Schema['NewBellSchedule']) => add<BellSchedule>('bell-schedules', schedule)
export const removeSchedule = (id: string) => ask<void>('DELETE', `${API}/bell-schedules/${id}`)

export const readCourses = (term_id: string) => listAll<Course>('courses', { term_id })
export const addCourse = (course: NewCourse) => add<Course>('courses', course)

const read = <Answer>(path: string, query: Record<string, string | number>) => ask<Answer>('GET', withQuery(`${API}/${path}`, query), undefined, {}, PLAN_WITHIN_MS)
export const readGrid = (term: string, week: number, by: GridBy, id: string) => read<Grid>('week-grid', { term, week, by, id })
export const readDay = (term: string, date: string, by: GridBy, id: string) => read<Grid>('week-grid', { term, date, by, id })
export const readSchoolWeeks = (term: string, week: number, organisation_id: string) => read<SchoolWeeks>('week-grid/schools', { term, week, organisation_id })
