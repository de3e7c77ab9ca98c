import { expect, it } from 'vitest'
import { figure, length, onBar, percent } from './words'

it.each([
  [0, '0 秒', '0 s'],
  [12_400, '12 秒', '12 s'],
  [180_000, '3 分', '3 min'],
  [192_000, '3 分 12 秒', '3 min 12 s'],
  [-5, '0 秒', '0 s'],
])('says %d ms as %s', (ms, chinese, english) => {
  expect(length(ms, 'zh-CN')).toBe(chinese)
  expect(length(ms, 'en')).toBe(english)
})

it('puts a stretch where it lies on the bar', () => {
  expect(onBar(0, 10, 0, 40)).toEqual({ left: '0.000%', width: '25.000%' })
  expect(onBar(-10, 50, 0, 40)).toEqual({ left: '0.000%', width: '100.000%' })
  expect(onBar(30, 35, 0, 40)).toEqual({ left: '75.000%', width: '12.500%' })
  expect(onBar(50, 60, 0, 40)).toBeNull()
  expect(onBar(0, 1, 40, 40)).toBeNull()
})

it('has a dash for what is not known', () => {
  expect([percent(null), percent(0.0123), figure(undefined), figure(3.456, 2)]).toEqual(['–', '1.2%', '–', '3.46'])
})
