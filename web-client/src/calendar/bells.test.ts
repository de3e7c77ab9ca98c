import type { Schedule } from './bells'
import { expect, it } from 'vitest'
import { clock, holdsOn, otherBells, readClock, rowsOf, scheduleOn, slipOf } from './bells'

const schedule = (fields: Partial<Schedule>): Schedule => ({
  organisation_id: 'bureau', stage: 'primary', name: '', from_day: '05-01', until_day: '09-30',
  periods: [
    { period: 'early_study-1', starts_min: 460, ends_min: 480 }, { period: 'lesson-1', starts_min: 480, ends_min: 520 },
    { period: 'long_break-1', starts_min: 570, ends_min: 600 }, { period: 'evening_study-1', starts_min: 1140, ends_min: 1185 },
  ],
  ...fields,
})
const winter = schedule({ name: '冬季', from_day: '10-01', until_day: '04-30', periods: [{ period: 'early_study-1', starts_min: 480, ends_min: 500 }, { period: 'lesson-1', starts_min: 500, ends_min: 540 }] })

it('holds over the new year', () => {
  expect(['2026-09-30', '2026-10-01', '2027-01-01', '2027-04-30', '2027-05-01'].map(day => holdsOn(winter, day))).toEqual([false, true, true, true, false])
})

it('goes by the nearest school’s bells, and there by the stage’s own', () => {
  const own = schedule({ organisation_id: 'school', name: '高山', from_day: '09-28', until_day: '04-30' })
  const general = schedule({ name: '通用', stage: null, from_day: '01-01', until_day: '12-31' })
  const all = [general, winter, own, schedule({ name: '夏季' })]
  const on = (day: string, stage = 'primary') => scheduleOn(all, ['school', 'bureau'], stage, day)?.name
  expect([on('2026-09-27'), on('2026-09-28'), on('2026-10-01', 'junior')]).toEqual(['夏季', '高山', '通用'])
  expect(scheduleOn(all, ['elsewhere'], 'primary', '2026-10-01')).toBeUndefined()
})

it('draws each period once, breaks among them, with the first schedule in the margin', () => {
  const rows = rowsOf([schedule({}), winter])
  expect(rows.map(row => [row.period, row.takesLessons, row.part, row.startsMin])).toEqual([
    ['early_study-1', true, 'morning', 460], ['lesson-1', true, 'morning', 480], ['long_break-1', false, 'morning', 570], ['evening_study-1', true, 'evening', 1140],
  ])
  const [, lesson] = rows
  expect(lesson && otherBells(lesson, winter)?.starts_min).toBe(500)
  expect(lesson && otherBells(lesson, schedule({}))).toBeNull()
})

it('keeps a lesson whose period has no bell any more', () => {
  expect(rowsOf([winter], [{ period: 'lesson-9', starts_min: 960, ends_min: 1000 }]).at(-1)?.period).toBe('lesson-9')
})

it.each([['8:05', 485], ['08：05', 485], ['24:00', 1440], ['24:01', null], ['8.05', null], ['', null]])('reads %s', (text, minute) => {
  expect(readClock(text)).toBe(minute)
})

it('finds the slip of the pen', () => {
  const bell = (period: string, starts_min: number, ends_min: number) => ({ period, starts_min, ends_min })
  expect(slipOf([bell('lesson-1', 480, 520), bell('lesson-2', 510, 560)])).toEqual({ period: 'lesson-2', why: 'overlaps' })
  expect(slipOf([bell('lesson-1', 480, 480)])?.why).toBe('ends_before')
  expect(slipOf([bell('lesson-1', 480, 520), bell('lesson-1', 530, 560)])?.why).toBe('twice')
  expect(slipOf(winter.periods)).toBeNull()
  expect(clock(485)).toBe('08:05')
})
