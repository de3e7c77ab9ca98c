// The library: a lesson is found, cut, agreed to and shared; a phone opens the link; a recorded lesson plays the clip on
// two walls by the bell, the late one in step.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callApi } from '../support/api'
import { launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { byTestId } from '../support/selectors'
import { openDeviceCheck, startLesson } from '../support/teaching'
import { STEP_MS, shownFrames } from '../support/test-pattern'
import { scheduleBell } from '../support/bell-schedule'

const TAUGHT_MS = 34_000
const FROM_MS = 6_000
const TO_MS = 30_000
/** The late classroom comes this long after the bell. */
const LATE_MS = 6_000
/** A wall that follows a clock is a quarter of a second off at most, and two of them may be off in different ways. */
const STEP_MAX_MS = 700
const SCREENS = process.env.SCREENS

let hub: TestHub
let browser: Browser

beforeAll(async () => {
  hub = await TestHub.start()
  browser = await launchChromium()
  if (SCREENS !== undefined) await mkdir(SCREENS, { recursive: true })
})

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

async function shoot(page: Page, name: string): Promise<void> {
  if (SCREENS === undefined) return
  for (const [width, height] of [[1920, 1080], [1366, 768], [390, 844]] as const) {
    await page.setViewportSize({ width, height })
    await page.waitForTimeout(400)
    await page.screenshot({ path: join(SCREENS, `${name}-${width}.png`) })
  }
  await page.setViewportSize({ width: 1366, height: 768 })
}

/** What a page shows and when: the newest picture's own number. */
async function shownNow(page: Page, selector: string): Promise<[number, number]> {
  const frames = await page.evaluate(shownFrames, selector)
  const last = frames.filter(([, counter]) => counter >= 0).at(-1)
  if (last === undefined) throw new Error('no picture')
  return last
}

/** Milliseconds of the drawn lesson at this machine's clock 0: the same on pages that are in step. */
const phase = ([atMs, counter]: [number, number]): number => counter * STEP_MS - atMs

test('a lesson is cut, shared and played to two classrooms by the bell', async () => {
  const teacher = await openDeviceCheck(browser, hub, '', { width: 1366, height: 768 })
  await startLesson(teacher, { board: true })
  await teacher.page.waitForTimeout(TAUGHT_MS / 2)
  await teacher.page.click(byTestId('mark'))
  await teacher.page.waitForSelector(byTestId('marked'))
  await teacher.page.waitForTimeout(TAUGHT_MS / 2)
  await callApi(teacher.page, 'POST', `lessons/${hub.sample.lesson_id}/end`, {})
  const { recording } = await callApi<{ recording: { recording_id: string } | null }>(teacher.page, 'GET', `lessons/${hub.sample.lesson_id}`)
  const id = recording?.recording_id ?? ''
  await expect.poll(async () => (await callApi<{ state: string }>(teacher.page, 'GET', `recordings/${id}`)).state, { timeout: 20_000 }).toBe('sealed')
  const { items: chapters } = await callApi<{ items: { kind: string, at_ms: number }[] }>(teacher.page, 'GET', `recordings/${id}/chapters`)
  const mark = chapters.find(one => one.kind === 'mark')
  console.log(`the mark stands at ${mark?.at_ms} ms`)
  expect(Math.abs((mark?.at_ms ?? 0) - TAUGHT_MS / 2)).toBeLessThan(4_000)

  // The library: found by a word, agreed to, a clip.
  await callApi(teacher.page, 'POST', `recordings/${id}/clips`, { from_ms: FROM_MS, to_ms: TO_MS, title: '新课导入：看图说话' })
  await teacher.page.goto(`${hub.origin}/recordings?text=${encodeURIComponent('英语')}`)
  await teacher.page.click(byTestId(`card-${id}`))
  await teacher.page.click(byTestId('consent'))
  await teacher.page.waitForSelector(byTestId('share-make'))
  await shoot(teacher.page, 'library-card')

  // The scheduler gives it to the class as a recorded lesson.
  const scheduler = await visit(browser, hub.at(hub.sample.sign_in_links.scheduler), { width: 1366, height: 768 })
  await scheduler.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  const { items: [school] } = await callApi<{ items: { organisation_id: string, parent_id: string }[] }>(scheduler.page, 'GET', `organisations?text=${encodeURIComponent('茨沟镇中心小学')}&limit=1`)
  if (school === undefined) throw new Error('the sample has no centre school')
  const { items: [person] } = await callApi<{ items: { person_id: string }[] }>(scheduler.page, 'GET', `people?organisation_id=${school.organisation_id}&limit=1`)
  const walls = await Promise.all(hub.sample.sign_in_links.classrooms.map(one => visit(browser, hub.at(one), { recordFramesOf: [byTestId('source-main')] })))
  const rooms = await Promise.all(walls.map(async (wall) => {
    await wall.page.waitForURL(url => !url.pathname.startsWith('/enter'))
    return (await callApi<{ classroom: { classroom_id: string } }>(wall.page, 'GET', 'me')).classroom.classroom_id
  }))
  const listening = rooms.slice(0, 2).map(classroom_id => ({ classroom_id, class_id: null, interactive: false }))
  const { day, startsAtMs } = await scheduleBell(scheduler.page, school.organisation_id, school.parent_id)
  const { items: terms } = await callApi<{ items: { term_id: string, first_day: string, last_day: string }[] }>(scheduler.page, 'GET', 'terms')
  const term = terms.find(one => one.first_day <= day && day <= one.last_day)
  const { lesson_ids: [lessonId] } = await callApi<{ lesson_ids: string[] }>(scheduler.page, 'POST', 'dispatch/lessons', {
    term_id: term?.term_id, organisation_id: school.organisation_id, title: '英语 看课', subject: '英语', stage: 'primary', grade: '三年级', teacher_id: person?.person_id,
    classroom_id: null, class_id: null, program: 'open_school_class', mode: 'recorded', delivery: 'dedicated', date: day, period: 'lesson-1', listening,
  })
  const { items: clips } = await callApi<{ items: { clip_id: string }[] }>(teacher.page, 'GET', `recordings/${id}/clips`)
  await callApi(scheduler.page, 'PUT', `lessons/${lessonId}/source`, { kind: 'clip', clip_id: clips[0]?.clip_id })
  console.log(`planned ${((startsAtMs - Date.now()) / 1000).toFixed(0)} s before the bell`)

  const [early, late] = walls
  if (early === undefined || late === undefined) throw new Error('two walls')
  // One wall waits for the bell; meanwhile the recording is given away by a link.
  await late.page.goto('about:blank')
  await early.page.goto(`${hub.origin}/classroom`)
  await teacher.page.click(byTestId('share-make'))
  const link = await teacher.page.locator(`${byTestId('share-link')} input`).first().inputValue()
  expect(new URL(link).pathname + new URL(link).search).toBe('/shared')
  await shoot(teacher.page, 'library-shared')

  // A phone without an account.
  const phone = await visit(browser, link, { width: 390, height: 844, recordFramesOf: [byTestId('shared-main')] })
  await phone.page.waitForSelector(`${byTestId('shared')}[data-state="open"]`)
  expect(phone.page.url()).toBe(`${hub.origin}/shared`)
  await phone.page.click(byTestId('shared-play'))
  await phone.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.currentTime ?? 0) > 2, byTestId('shared-main'), { timeout: 30_000 })
  const [, first] = await shownNow(phone.page, byTestId('shared-main'))
  expect(first).toBeGreaterThan(0)
  if (SCREENS !== undefined) await phone.page.screenshot({ path: join(SCREENS, 'shared-phone.png') })
  await shoot(phone.page, 'shared')
  await phone.context.close()

  await early.page.waitForSelector(`${byTestId('wall')}[data-state="live"]`, { timeout: startsAtMs - Date.now() + 30_000 })
  await early.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.currentTime ?? 0) > 1, byTestId('source-main'), { timeout: 20_000 })
  await early.page.waitForTimeout(Math.max(0, startsAtMs + LATE_MS - Date.now()))
  await late.page.goto(`${hub.origin}/classroom`)
  await late.page.waitForSelector(`${byTestId('wall')}[data-state="live"]`, { timeout: 20_000 })
  await late.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.currentTime ?? 0) > 5, byTestId('source-main'), { timeout: 20_000 })
  await late.page.waitForTimeout(4_000)
  const [one, other] = [await shownNow(early.page, byTestId('source-main')), await shownNow(late.page, byTestId('source-main'))]
  const apartMs = Math.abs(phase(one) - phase(other))
  const sounds = await Promise.all([early, late].map(wall => wall.page.evaluate((where) => {
    const video = document.querySelector<HTMLVideoElement>(where)
    return video === null ? null : { muted: video.muted, playing: !video.paused, decoded: (video as unknown as { webkitAudioDecodedByteCount: number }).webkitAudioDecodedByteCount }
  }, byTestId('source-main'))))
  console.log(`two walls are ${apartMs.toFixed(0)} ms apart; sound ${JSON.stringify(sounds)}`)
  if (SCREENS !== undefined) await early.page.screenshot({ path: join(SCREENS, 'wall-recorded.png') })
  expect(apartMs).toBeLessThan(STEP_MAX_MS)
  for (const sound of sounds) {
    expect(sound?.playing).toBe(true)
    expect(sound?.decoded).toBeGreaterThan(0)
  }
  // Nobody taught it, and it was the bell that began it.
  const { items: steps } = await callApi<{ items: { to: string, actor: string }[] }>(scheduler.page, 'GET', `lessons/${lessonId}/transitions`)
  expect(steps.find(step => step.to === 'live')?.actor).toBe('system')
  expect([...teacher.errors, ...scheduler.errors, ...early.errors, ...late.errors, ...phone.errors]).toEqual([])
  expect(hub.errorLines()).toEqual([])
}, 300_000)
