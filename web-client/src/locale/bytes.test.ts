import { expect, test } from 'vitest'
import { bytes } from './bytes'

test('sizes have two figures and a unit', () => {
  expect([0, 999, 12_345, 870_000_000, 2_440_000_000, 31_000_000_000_000].map(bytes)).toEqual(['0 B', '999 B', '12 kB', '870 MB', '2.4 GB', '31 TB'])
})
