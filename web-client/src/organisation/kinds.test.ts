import { expect, it } from 'vitest'
import { kindsBelow, teaches } from './kinds'

it.each([
  ['province', 'city', true],
  ['county', 'centre_school', true],
  ['county', 'teaching_point', false],
  ['centre_school', 'teaching_point', true],
  ['school', 'teaching_point', true],
  ['teaching_point', 'teaching_point', false],
] as const)('below a %s a %s: %s', (above, below, may) => {
  expect(kindsBelow(above).includes(below)).toBe(may)
})

it('has classrooms where lessons are taught', () => {
  expect((['province', 'city', 'county', 'centre_school', 'school', 'teaching_point'] as const).filter(teaches))
    .toEqual(['centre_school', 'school', 'teaching_point'])
})
