import type { Me, RoleName } from '../api/model'
import type { Imported } from '../api/organisation'
import { expect, it } from 'vitest'
import { may, mediaType, sheetsOf, verdict } from './tables'

const me = (...roles: RoleName[]): Me => ({
  session_id: 's', person_id: 'p', name: '王系统', role: 'bureau_officer', stage: 'full', has_second_factor: true, classroom: null, device_id: null, assistant: null, expires_at_ms: 0,
  roles: roles.map(role => ({ role, organisation_id: 'o', until_ms: null })),
})

it('lets each role take in and out what it keeps', () => {
  expect(may(me('system_administrator'), 'organisations')).toEqual({ takeIn: true, takeOut: true })
  expect(may(me('school_administrator'), 'organisations')).toEqual({ takeIn: false, takeOut: true })
  expect(may(me('scheduler'), 'people')).toEqual({ takeIn: false, takeOut: true })
  expect(may(me('operator'), 'people')).toEqual({ takeIn: false, takeOut: false })
  expect(sheetsOf(me('operator'))).toEqual(['organisations', 'classrooms', 'classes'])
})

it.each([
  ['学校.CSV', 'text/csv'],
  ['学校.xlsx', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['学校.xls', null],
  ['学校', null],
])('knows %s by its name', (name, kind) => {
  expect(mediaType(name)).toBe(kind)
})

it('says what a look at a file has found', () => {
  const report: Imported = { rows: 2, added: 0, changed: 0, unchanged: 2, faults: [], kept: false }
  expect(verdict(report)).toBe('same')
  expect(verdict({ ...report, changed: 1, unchanged: 1 })).toBe('good')
  expect(verdict({ ...report, added: 1, faults: [{ row: 2, column: 'name', value: '', reason: 'empty' }] })).toBe('bad')
})
