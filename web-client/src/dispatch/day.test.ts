import type { GridLesson } from '../api/timetable'
import { expect, it } from 'vitest'
import { dayRowsOf, spanOf, troublesOf } from './day'

const lesson = (lesson_id: string, fields: Partial<GridLesson> = {}): GridLesson => ({
  lesson_id, organisation_id: 'a', title: lesson_id, subject: '英语', mode: 'live', state: 'scheduled', teacher_id: lesson_id, teacher: '', classroom_id: `room-${lesson_id}`,
  class_id: null, weekday: 1, period: 'lesson-1', date: '2026-11-23', zone: 'Asia/Shanghai', opens_at_ms: 0, starts_at_ms: 600_000, ends_at_ms: 1_200_000, listening: [{ classroom_id: `there-${lesson_id}`, class_id: null, join_until_ms: null }], version: 1, ...fields,
})

it('names two lessons that want the same teacher, and not the one after', () => {
  const troubles = troublesOf([lesson('x', { teacher_id: 't' }), lesson('y', { teacher_id: 't' }), lesson('z', { teacher_id: 't', starts_at_ms: 1_200_000, ends_at_ms: 1_800_000 })], 0)
  expect(troubles.get('x')).toEqual([{ kind: 'clash', resource: 'teacher', with: 'y' }])
  expect(troubles.has('z')).toBe(false)
})

it('sees a room that teaches and listens at once, but not what is called off', () => {
  const there = lesson('y', { listening: [{ classroom_id: 'room-x', class_id: null, join_until_ms: null }] })
  expect(troublesOf([lesson('x'), there], 0).get('x')?.[0]).toMatchObject({ kind: 'clash', resource: 'classroom' })
  expect(troublesOf([lesson('x', { state: 'cancelled' }), there], 0).size).toBe(0)
})

it('knows who is late, who was missed and whom nobody hears', () => {
  const troubles = troublesOf([lesson('late', { state: 'open' }), lesson('missed', { state: 'missed' }), lesson('alone', { listening: [], starts_at_ms: 9e9, ends_at_ms: 9.1e9 })], 780_000)
  expect([troubles.get('late'), troubles.get('missed'), troubles.get('alone')]).toEqual([[{ kind: 'late', minutes: 3 }], [{ kind: 'missed' }], [{ kind: 'nobody_listens' }]])
})

it('puts schools in trouble first, the others by name', () => {
  const lines = dayRowsOf([lesson('1', { organisation_id: 'c' }), lesson('2', { organisation_id: 'b' }), lesson('3', { organisation_id: 'a', state: 'missed' })], 'school', 0, id => id)
  expect(lines.map(line => line.id)).toEqual(['a', 'b', 'c'])
})

it('spans at least the school’s day', () => {
  expect(spanOf([])).toEqual({ from: 480, until: 1020 })
  expect(spanOf([{ from: 450, until: 1185 }])).toEqual({ from: 420, until: 1200 })
})
