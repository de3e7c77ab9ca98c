import type { Sight } from './on-screen'
import { expect, it } from 'vitest'
import { OnScreen } from './on-screen'

const sight = (fields: Partial<Sight> = {}): Sight =>
  ({ visible: true, playing: true, drawn: 0, heard: 0, expectsPicture: true, ...fields })

it('counts from the first picture on, and until the page is hidden', () => {
  const screen = new OnScreen(0)
  expect(screen.update(1_000, sight())).toBe(false)
  expect(screen.update(2_000, sight({ drawn: 3 }))).toBe(true)
  expect(screen.takeReport(2_000)).toEqual({ span_ms: 2_000, shown_ms: 0, shown_last: true })
  expect(screen.update(3_000, sight({ drawn: 28 }))).toBe(false)
  expect(screen.update(4_700, sight({ drawn: 60, visible: false }))).toBe(true)
  expect(screen.takeReport(4_700)).toEqual({ span_ms: 2_700, shown_ms: 2_700, shown_last: false })
  expect(screen.update(6_000, sight({ drawn: 90, visible: false }))).toBe(false)
  expect(screen.takeReport(7_000)).toEqual({ span_ms: 2_300, shown_ms: 0, shown_last: false })
})

it('takes a black screen for what it is, though the voice plays', () => {
  const screen = new OnScreen(0)
  for (let second = 1; second <= 10; second++)
    expect(screen.update(second * 1_000, sight({ heard: second * 48_000 }))).toBe(false)
  expect(screen.takeReport(10_000).shown_ms).toBe(0)
})

it('lets the voice count where no picture is to be seen', () => {
  const screen = new OnScreen(0)
  expect(screen.update(1_000, sight({ heard: 48_000, expectsPicture: false }))).toBe(true)
  expect(screen.update(2_000, sight({ heard: 96_000, expectsPicture: false }))).toBe(false)
  expect(screen.update(5_500, sight({ heard: 96_000, expectsPicture: false }))).toBe(true)
  expect(screen.takeReport(6_000)).toEqual({ span_ms: 6_000, shown_ms: 4_500, shown_last: false })
})

it('forgives a freeze, and not a picture that stays', () => {
  const screen = new OnScreen(0)
  screen.update(1_000, sight({ drawn: 5 }))
  expect(screen.update(5_900, sight({ drawn: 5 }))).toBe(false)
  expect(screen.update(6_000, sight({ drawn: 5 }))).toBe(true)
  expect(screen.takeReport(6_000)).toMatchObject({ shown_ms: 5_000, shown_last: false })
})

it('counts nothing while the sound waits for a key', () => {
  const screen = new OnScreen(0)
  expect(screen.update(1_000, sight({ drawn: 25, playing: false }))).toBe(false)
  expect(screen.takeReport(2_000)).toEqual({ span_ms: 2_000, shown_ms: 0, shown_last: false })
})
