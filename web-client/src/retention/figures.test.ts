import { expect, test } from 'vitest'
import { daysUntil, share, span } from './figures'

test('a span is told in the one unit that says enough', () => {
  expect(span(4_000)).toEqual({ unit: 'seconds', count: 4 })
  expect(span(30 * 60_000)).toEqual({ unit: 'minutes', count: 30 })
  expect(span(-7_200_000)).toEqual({ unit: 'hours', count: 2 })
  expect(span(365 * 86_400_000)).toEqual({ unit: 'daysLong', count: 365 })
})

test('a bar is as long as its limit is full, or as its school is large', () => {
  expect(share({ fill_per_mille: 800, used_bytes: 1 }, 100)).toBe(0.8)
  expect(share({ fill_per_mille: 1_700, used_bytes: 1 }, 100)).toBe(1)
  expect(share({ fill_per_mille: null, used_bytes: 25 }, 100)).toBe(0.25)
  expect(share({ fill_per_mille: null, used_bytes: 0 }, 0)).toBe(0)
})

test('days are counted whole', () => {
  expect(daysUntil(86_400_000 * 3 + 5, 0)).toBe(3)
  expect(daysUntil(-5, 0)).toBe(0)
})
