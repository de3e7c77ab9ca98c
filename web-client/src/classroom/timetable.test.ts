import type { LessonView } from '../api/model'
import { expect, it } from 'vitest'
import { lessonNext, lessonNow } from './timetable'

const at = (hour: number, day = 21) => new Date(2026, 10, day, hour).getTime()

const lesson = (id: string, state: LessonView['state'], hour: number, day = 21): LessonView => ({
  lesson_id: id, title: '', subject: '', grade: '', program: 'delivery_class', mode: 'live', teacher: { person_id: 'p', name: '' },
  state, starts_at_ms: at(hour, day), ends_at_ms: at(hour + 1, day), opens_at_ms: at(hour, day), closes_at_ms: at(hour + 1, day), readiness: null, live_at_ms: null, ended_at_ms: null, classrooms: [],
  guests_max: 0, recording: null, may: { teach: false, attend: true, watch: false, replay: false }, now_ms: at(8),
})

it('goes into the lesson that is live, before one that is only open', () => {
  expect(lessonNow([lesson('open', 'open', 10), lesson('live', 'live', 9)], null)?.lesson_id).toBe('live')
})

it('leaves a lesson that nobody ended for the one whose bell has rung since', () => {
  expect(lessonNow([lesson('forgotten', 'live', 8), lesson('now', 'live', 9)], null)?.lesson_id).toBe('now')
})

it('stays in the lesson that the address names while it runs', () => {
  expect(lessonNow([lesson('named', 'open', 8), lesson('other', 'live', 9)], 'named')?.lesson_id).toBe('named')
  expect(lessonNow([lesson('named', 'ended', 8), lesson('other', 'live', 9)], 'named')?.lesson_id).toBe('other')
})

it('stays out of lessons of other classrooms', () => {
  expect(lessonNow([{ ...lesson('theirs', 'live', 9), may: { teach: false, attend: false, watch: true, replay: false } }], null)).toBeNull()
})

it('knows what comes next today, and that nothing does', () => {
  const lessons = [lesson('late', 'scheduled', 14), lesson('soon', 'scheduled', 10), lesson('past', 'ended', 8), lesson('tomorrow', 'scheduled', 8, 22)]
  expect(lessonNext(lessons, at(9))?.lesson_id).toBe('soon')
  expect(lessonNext(lessons, at(10), 'soon')?.lesson_id).toBe('late')
  expect(lessonNext(lessons, at(16))).toBeNull()
})
