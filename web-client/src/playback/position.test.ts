import { expect, test } from 'vitest'
import { follow, pointTime, readTime } from './position'

test('a classroom comes into step without being seen to, and a late one jumps', () => {
  expect(follow(100, 100.2)).toEqual({ kind: 'steady' })
  expect(follow(100, 99)).toEqual({ kind: 'hurry', rate: 1.1 })
  expect(follow(100, 101)).toEqual({ kind: 'hurry', rate: 0.9 })
  expect(follow(600, 0)).toEqual({ kind: 'jump', toS: 600 })
})

test('a point is read as people type it, and written so that it can be read', () => {
  const table: [string, number | null][] = [
    ['3:07', 187_000], ['1:03:07', 3_787_000], ['45', 45_000], ['0:12.5', 12_500], ['3：07', 187_000],
    ['', null], ['three', null], ['-1', null], ['1:2:3:4', null], ['1:', null],
  ]
  for (const [text, ms] of table) expect(readTime(text), text).toBe(ms)
  for (const ms of [0, 12_500, 187_000, 3_787_900]) expect(readTime(pointTime(ms))).toBe(ms)
})
