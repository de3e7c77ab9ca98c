import type { LessonView } from '../api/model'
import { expect, it } from 'vitest'
import { byDay, nextStep } from './day'

const at = (day: number, hour: number) => new Date(2026, 10, day, hour).getTime()

const lesson = (fields: Partial<LessonView>): LessonView => ({
  lesson_id: 'l', title: '', subject: '', grade: '', program: 'delivery_class', mode: 'live', teacher: { person_id: 'p', name: '' },
  state: 'scheduled', starts_at_ms: at(21, 9), ends_at_ms: at(21, 10), opens_at_ms: at(21, 9), closes_at_ms: at(21, 10), readiness: null, live_at_ms: null, ended_at_ms: null, classrooms: [],
  guests_max: 0, recording: null, may: { teach: false, attend: false, watch: false, replay: false }, now_ms: at(21, 8), ...fields,
})

it('shows today, then what comes, then what was', () => {
  const days = byDay([19, 21, 23, 20, 22].map(day => lesson({ starts_at_ms: at(day, 9) })), at(21, 12))
  expect(days.map(day => new Date(day.startsAtMs).getDate())).toEqual([21, 22, 23, 20, 19])
})

it('orders a day by the bell', () => {
  const [day] = byDay([14, 8, 10].map(hour => lesson({ starts_at_ms: at(21, hour) })), at(21, 12))
  expect(day?.lessons.map(one => new Date(one.starts_at_ms).getHours())).toEqual([8, 10, 14])
})

const may = { teach: false, attend: false, watch: false, replay: false }
const recording = { recording_id: 'r', state: 'sealed' } as const

it.each([
  ['a teacher before the lesson', 'lead_teacher', { may: { ...may, teach: true }, state: 'open' }, 'teach'],
  ['a teacher in the lesson', 'lead_teacher', { may: { ...may, teach: true }, state: 'live' }, 'teachAgain'],
  ['a teacher after the lesson', 'lead_teacher', { may: { ...may, teach: true, replay: true }, state: 'ended', recording }, 'replay'],
  ['a classroom in the lesson', 'classroom', { may: { ...may, attend: true }, state: 'live' }, 'attend'],
  ['a classroom the day before', 'classroom', { may: { ...may, attend: true }, state: 'scheduled' }, undefined],
  ['an officer in the lesson', 'bureau_officer', { may: { ...may, watch: true, replay: true }, state: 'live', recording }, 'watch'],
  ['an officer after an unrecorded lesson', 'bureau_officer', { may: { ...may, replay: true }, state: 'ended' }, undefined],
] as const)('gives %s one thing to do', (_, role, fields, word) => {
  expect(nextStep(lesson(fields), role)?.word).toBe(word)
})
