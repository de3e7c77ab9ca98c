// The bell: planned in the grid for the next minute, live by itself in a classroom without any input, and recorded.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callApi } from '../support/api'
import { launchChromium, visit } from '../support/chromium'
import { scheduleBell } from '../support/bell-schedule'
import { TestHub } from '../support/hub'

const TAUGHT_MS = 6_000
/** The hub checks ten times a second whether a lesson begins. */
const LATE_MAX_MS = 1_500

let hub: TestHub
let browser: Browser

beforeAll(async () => {
  hub = await TestHub.start()
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

test('a lesson that is planned in the grid goes live at the bell, untouched, and is recorded', async () => {
  const scheduler = await visit(browser, hub.at(hub.sample.sign_in_links.scheduler), { width: 1366, height: 768 })
  await scheduler.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  const { items: [school] } = await callApi<{ items: { organisation_id: string, parent_id: string }[] }>(scheduler.page, 'GET', `organisations?text=${encodeURIComponent('茨沟镇中心小学')}&limit=1`)
  if (school === undefined) throw new Error('the sample has no centre school')
  // The sample's lesson of all day would keep teacher and classroom.
  const teacher = await visit(browser, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  await teacher.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  await callApi(teacher.page, 'POST', `lessons/${hub.sample.lesson_id}/start`, {})
  await callApi(teacher.page, 'POST', `lessons/${hub.sample.lesson_id}/end`, {})
  // The page is open before the minute is chosen.
  await scheduler.page.goto(`${hub.origin}/timetable?school=${school.organisation_id}`)
  await scheduler.page.waitForLoadState('networkidle')
  const { day, startsAtMs } = await scheduleBell(scheduler.page, school.organisation_id, school.parent_id)

  // The scheduler: an empty cell, who listens, and the button.
  await scheduler.page.reload()
  await scheduler.page.click(`[data-testid="cell-${day}-lesson-1"] .add`)
  await scheduler.page.click('[data-testid="listening"]')
  await scheduler.page.keyboard.type('景家三年级')
  await scheduler.page.click('.n-base-select-option:has-text("景家三年级复式班")')
  await scheduler.page.waitForSelector('[data-testid="new-lesson"] .free')
  await scheduler.page.click('[data-testid="schedule"]')
  const lessonId = await scheduler.page.locator(`[data-testid="cell-${day}-lesson-1"] [data-lesson]`).getAttribute('data-lesson')
  const plannedBeforeMs = startsAtMs - Date.now()
  console.log(`planned ${(plannedBeforeMs / 1000).toFixed(0)} s before the bell`)
  expect(plannedBeforeMs).toBeGreaterThan(0)

  // The classroom is opened and let alone: no key, no click. The teacher's desk is open, and nobody presses start.
  const link = hub.sample.sign_in_links.classrooms[1]
  if (link === undefined) throw new Error('the sample has no second classroom')
  const classroom = await visit(browser, hub.at(link))
  await teacher.page.goto(`${hub.origin}/teach/${lessonId}?camera=360p`)
  await teacher.page.waitForSelector('[data-testid="device-check"]')

  const patience = startsAtMs - Date.now() + 30_000
  await classroom.page.waitForSelector('[data-testid="wall"][data-state="live"]', { timeout: patience })
  const seenLiveMs = Date.now()
  await classroom.page.waitForFunction(() => [...document.querySelectorAll('video')].some(video => video.videoWidth > 0), undefined, { timeout: 30_000 })
  const { items: steps } = await callApi<{ items: { to: string, at_ms: number, actor: string }[] }>(scheduler.page, 'GET', `lessons/${lessonId}/transitions`)
  const live = steps.find(step => step.to === 'live')
  const lateMs = (live?.at_ms ?? Number.NaN) - startsAtMs
  console.log(`live ${lateMs} ms after the bell by ${live?.actor}, on the wall ${seenLiveMs - startsAtMs} ms after it`)
  expect(lateMs).toBeGreaterThanOrEqual(0)
  expect(lateMs).toBeLessThan(LATE_MAX_MS)
  expect(live?.actor).toBe('system')

  await teacher.page.waitForTimeout(TAUGHT_MS)
  await callApi(teacher.page, 'POST', `lessons/${lessonId}/end`, {})
  await classroom.page.waitForSelector('[data-testid="wall"][data-state="over"]')
  const { recording } = await callApi<{ recording: { recording_id: string } | null }>(teacher.page, 'GET', `lessons/${lessonId}`)
  if (recording === null) throw new Error('the lesson has no recording')
  await expect.poll(async () => (await callApi<{ state: string }>(teacher.page, 'GET', `recordings/${recording.recording_id}`)).state, { timeout: 20_000 }).toBe('sealed')
  const recorded = await callApi<{ duration_ms: number, tracks: { kind: string }[] }>(teacher.page, 'GET', `recordings/${recording.recording_id}`)
  console.log(`recorded ${recorded.duration_ms} ms: ${recorded.tracks.map(track => track.kind).join(', ')}`)
  expect(recorded.duration_ms).toBeGreaterThan(TAUGHT_MS / 2)
  expect(recorded.tracks.map(track => track.kind)).toContain('camera')
  expect([...scheduler.errors, ...teacher.errors, ...classroom.errors]).toEqual([])
  expect(hub.errorLines()).toEqual([])
}, 240_000)
