import { expect, it } from 'vitest'
import { retryDelayMs } from './backoff'

it('spreads the first return over two seconds and never waits longer than ten', () => {
  const latest = [1, 2, 3, 4, 5, 20].map(attempt => retryDelayMs(attempt, () => 0.9999))
  expect(latest).toEqual([1999, 2999, 4499, 6749, 9999, 9999])
  expect(retryDelayMs(7, () => 0)).toBe(0)
})
