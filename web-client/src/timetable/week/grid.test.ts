import type { Pairing } from '../../api/dispatch'
import type { SchoolClass } from '../../api/organisation'
import type { GridLesson } from '../../api/timetable'
import { expect, it } from 'vitest'
import { rowsOf } from '../../calendar/bells'
import { columnsOf } from '../../calendar/days'
import { cellsOf, draftFor, isMovable, isOpenCell, shortPlace, step } from './grid'

const lesson = (fields: Partial<GridLesson>): GridLesson => ({
  lesson_id: 'l', organisation_id: 'centre', title: '英语 三年级', subject: '英语', mode: 'live', state: 'scheduled', teacher_id: 'zhang', teacher: '张老师',
  classroom_id: 'room', class_id: 'class', weekday: 3, period: 'lesson-3', date: '2026-11-25', zone: 'Asia/Shanghai', opens_at_ms: 0, starts_at_ms: 1000, ends_at_ms: 2000, listening: [], version: 1, ...fields,
})
const term = { first_day: '2026-09-01', last_day: '2027-01-22' }
const columns = columnsOf(term, 13, [], [])
const bell = (period: string, starts_min: number) => ({ period, starts_min, ends_min: starts_min + 40 })
const rows = rowsOf([{ organisation_id: 'c', stage: null, name: '', from_day: '01-01', until_day: '12-31', periods: [bell('early_study-1', 460), bell('lesson-1', 510), bell('long_break-1', 560), bell('lesson-2', 610)] }])
const pairing: Pairing = { pairing_id: 'p', term_id: 't', topology: 'centre_with_points', teaching_id: 'centre', class_ids: ['jingjia', 'dahe'], subjects: ['音乐'], standing: 'active', version: 1 }
const centreClass: SchoolClass = { class_id: 'class', organisation_id: 'centre', school: '中心小学', classroom_id: 'room', stage: 'primary', grade: '三年级', name: '三年级1班', closed_at_ms: null, version: 1 }

it('puts a swapped day’s lessons on the day they are given on', () => {
  const cells = cellsOf([lesson({ weekday: 3, date: '2026-11-28' }), lesson({ lesson_id: 'm', date: '2026-11-28', starts_at_ms: 900 })])
  expect(cells.get('2026-11-28 lesson-3')?.map(one => one.lesson_id)).toEqual(['m', 'l'])
})

it('walks from cell to cell over the breaks, and stays at the edge', () => {
  const from = { day: '2026-11-23', period: 'lesson-1' }
  expect(step(rows, columns, from, 'ArrowDown')).toEqual({ day: '2026-11-23', period: 'lesson-2' })
  expect(step(rows, columns, from, 'ArrowUp').period).toBe('early_study-1')
  expect(step(rows, columns, from, 'ArrowLeft')).toEqual(from)
  expect(step(rows, columns, from, 'ArrowRight').day).toBe('2026-11-24')
})

it('moves what has not begun', () => {
  expect(isMovable(lesson({}), 500)).toBe(true)
  expect(isMovable(lesson({}), 2500)).toBe(false)
  expect(isMovable(lesson({ state: 'live' }), 500)).toBe(false)
})

it('opens no cell of a holiday, of a break or of yesterday', () => {
  const off = columnsOf(term, 13, [{ organisation_id: 'c', date: '2026-11-24', name: '运动会', taught_as: null }], ['c'])
  const [, lessonRow, breakRow] = rows
  const open = (column: number, row = lessonRow) => off[column] !== undefined && row !== undefined && isOpenCell(off[column], row, '2026-11-23')
  expect([open(0), open(1), open(2, breakRow)]).toEqual([true, false, false])
})

it('drafts what the week has most of', () => {
  const week = [lesson({ teacher_id: 'li', subject: '音乐' }), lesson({ listening: [{ classroom_id: 'r', class_id: 'jingjia', join_until_ms: null }] }), lesson({})]
  const draft = draftFor({ by: 'class', id: 'class', schoolId: 'centre' }, week, [pairing], [])
  expect([draft.teacherId, draft.subject, draft.listening.length, draft.paired]).toEqual(['zhang', '英语', 1, false])
})

it('drafts by the pairing where the week is empty, from either end', () => {
  const here = draftFor({ by: 'class', id: 'class', schoolId: 'centre' }, [], [pairing], [centreClass])
  expect([here.subject, here.classroomId, here.listeningClasses]).toEqual(['音乐', 'room', ['jingjia', 'dahe']])
  const there = draftFor({ by: 'class', id: 'jingjia', schoolId: 'point' }, [], [pairing], [])
  expect([there.organisationId, there.classId]).toEqual(['centre', null])
  expect(draftFor({ by: 'class', id: 'class', schoolId: 'centre' }, [], [{ ...pairing, standing: 'frozen' }], [centreClass]).paired).toBe(false)
})

it('leaves the centre school’s name out of its points’', () => {
  expect(shortPlace('沈坝镇中心小学景家教学点', '沈坝镇中心小学')).toBe('景家教学点')
  expect(shortPlace('江北小学', '沈坝镇中心小学')).toBe('江北小学')
})
