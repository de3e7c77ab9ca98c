import type { SpecialDay } from '../api/timetable'
import { expect, it } from 'vitest'
import { addDays, columnsOf, longDay, mondayOf, schoolDay, schoolMinute, termFor, weekOf } from './days'

const autumn = { first_day: '2026-09-01', last_day: '2027-01-22' }
const spring = { first_day: '2027-03-01', last_day: '2027-07-02' }
const bureau = (date: string, name: string, taught_as: string | null = null): SpecialDay =>
  ({ organisation_id: 'bureau', date, name, taught_as })

it('counts weeks from the Monday of the first day', () => {
  expect(mondayOf('2026-09-01')).toBe('2026-08-31')
  expect([weekOf(autumn, '2026-08-31'), weekOf(autumn, '2026-09-01'), weekOf(autumn, '2026-09-07'), weekOf(autumn, '2027-01-22')])
    .toEqual([null, 1, 2, 21])
})

it('walks over the new year and the end of February', () => {
  expect([addDays('2026-12-31', 1), addDays('2028-02-28', 1), addDays('2027-03-01', -1)]).toEqual(['2027-01-01', '2028-02-29', '2027-02-28'])
})

it('names holidays and swapped days in their column', () => {
  const days = [bureau('2026-10-07', '国庆节'), bureau('2026-10-10', '调休', '2026-10-07'), bureau('2026-10-05', '国庆节')]
  const columns = columnsOf(autumn, 6, days, ['school', 'bureau'])
  expect(columns.map(column => column.day).slice(0, 2)).toEqual(['2026-10-05', '2026-10-06'])
  expect(columns[0]?.note).toEqual({ kind: 'off', name: '国庆节', givenOn: null })
  expect(columns[2]?.note).toEqual({ kind: 'off', name: '国庆节', givenOn: '2026-10-10' })
  expect(columns[5]?.note).toEqual({ kind: 'swapped', name: '调休', taughtAs: '2026-10-07' })
})

it('lets a school have a fair of its own, and no other school’s', () => {
  const days = [bureau('2026-09-09', '教师节'), { ...bureau('2026-09-09', '庙会'), organisation_id: 'school' }, { ...bureau('2026-09-10', '别校'), organisation_id: 'other' }]
  const columns = columnsOf(autumn, 2, days, ['school', 'bureau'])
  expect(columns.map(column => column.note?.name)).toEqual([undefined, undefined, '庙会', undefined, undefined, undefined, undefined])
})

it('knows which days of the first week are not yet term', () => {
  expect(columnsOf(autumn, 1, [], []).map(column => column.inTerm)).toEqual([false, true, true, true, true, true, true])
})

it('chooses the term of today, or the one to come', () => {
  expect(termFor([spring, autumn], '2026-11-22')).toBe(autumn)
  expect(termFor([spring, autumn], '2027-02-01')).toBe(spring)
  expect(termFor([spring, autumn], '2028-02-01')).toBe(spring)
})

it('reads the school’s clock whatever the browser’s zone is', () => {
  const at = Date.parse('2026-11-22T23:30:00Z')
  expect([schoolDay(at), schoolMinute(at)]).toEqual(['2026-11-23', 450])
})

it('says days in both languages', () => {
  expect([longDay('2026-11-21', 'zh-CN'), longDay('2026-11-21', 'en')]).toEqual(['11月21日 周六', 'Sat, 21 Nov'])
})
