import { expect, it } from 'vitest'
import { clockTime, dateName, dayName, playTime, timeSpan, wholeMinutes } from './time'

const at = (hour: number, minute: number) => new Date(2026, 10, 21, hour, minute).getTime()

it('writes times as a school does', () => {
  expect(clockTime(at(9, 40), 'zh-CN')).toBe('上午 9:40')
  expect(clockTime(at(12, 5), 'zh-CN')).toBe('下午 12:05')
  expect(clockTime(at(0, 5), 'zh-CN')).toBe('上午 12:05')
  expect(dayName(at(9, 40), 'zh-CN')).toBe('11月21日 周六')
  expect(dateName('2026-10-21', 'zh-CN')).toBe('2026 年 10 月 21 日')
  expect(dateName('2026-10-01', 'en')).toBe('1 October 2026')
  expect(timeSpan(at(9, 40), at(10, 20))).toBe('09:40–10:20')
})

it('writes positions in a recording', () => {
  expect([0, 7_999, 187_000, 3_787_000, -5].map(playTime)).toEqual(['0:00', '0:07', '3:07', '1:03:07', '0:00'])
  expect(wholeMinutes(119_999)).toBe(1)
})
