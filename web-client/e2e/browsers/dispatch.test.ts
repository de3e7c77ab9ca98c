// A scheduler's day in the console: a substitute, two lessons swapped, one called off, a whole day moved. What clashes is
// named where the scheduler looks.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callApi } from '../support/api'
import { launchChromium, visit, type Visitor } from '../support/chromium'
import { TestHub } from '../support/hub'
import { byTestId } from '../support/selectors'

interface Lesson {
  lesson_id: string, organisation_id: string, title: string, teacher_id: string, teacher: string, period: string, date: string
  starts_at_ms: number, ends_at_ms: number, state: string, version: number
  classroom_id: string | null, class_id: string | null, listening: { classroom_id: string, class_id: string | null }[]
}
interface Term { term_id: string, first_day: string, last_day: string }

const DAY_MS = 86_400_000
const ZONE_MS = 8 * 3_600_000
const dayIn = (days: number) => new Date(Date.now() + ZONE_MS + days * DAY_MS).toISOString().slice(0, 10)

let hub: TestHub
let browser: Browser
let scheduler: Visitor
let bureau: string
let term: Term

beforeAll(async () => {
  hub = await TestHub.start()
  browser = await launchChromium()
  scheduler = await visit(browser, hub.at(hub.sample.sign_in_links.scheduler), { width: 1366, height: 768 })
  await scheduler.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  const { items } = await callApi<{ items: { organisation_id: string, kind: string }[] }>(scheduler.page, 'GET', 'organisations?limit=200')
  bureau = items.find(one => one.kind === 'county')?.organisation_id ?? ''
  // The hub is ready before its sample has a timetable.
  while ((await callApi<{ items: Term[] }>(scheduler.page, 'GET', 'terms')).items.length === 0) await scheduler.page.waitForTimeout(200)
}, 60_000)

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

async function lessonsOn(date: string): Promise<Lesson[]> {
  return (await callApi<{ lessons: Lesson[] }>(scheduler.page, 'GET', `week-grid?term=${term.term_id}&date=${date}&by=organisation&id=${bureau}`)).lessons
}

/** The first day to come on which the sample county teaches in several periods; the same day a week later, as most plans
 * are weekly; and a day of the term on which nobody teaches. */
async function daysToCome(): Promise<{ first: string, second: string, free: string }> {
  const { items } = await callApi<{ items: Term[] }>(scheduler.page, 'GET', 'terms')
  for (let ahead = 1; ahead < 200; ahead++) {
    const [first, second] = [dayIn(ahead), dayIn(ahead + 7)]
    const of = items.find(one => one.first_day <= first && second <= one.last_day)
    if (of === undefined)
      continue
    term = of
    const [now, later] = [await lessonsOn(first), await lessonsOn(second)]
    if (now.length > 5 && later.length > 5 && new Set(now.map(lesson => lesson.period)).size > 1) {
      for (let days = ahead; dayIn(days) <= term.last_day; days++) {
        const free = dayIn(days)
        if ((new Date(free).getUTCDay() + 6) % 7 > 4 && (await lessonsOn(free)).length === 0)
          return { first, second, free }
      }
    }
  }
  throw new Error('NOT RUN: the sample has no lessons to come')
}

const open = async (page: Page, lesson: Lesson) => {
  await page.locator(`[data-lesson="${lesson.lesson_id}"]`).first().click()
  await page.locator(byTestId('lesson-card')).getByRole('heading', { name: lesson.title }).waitFor()
}

async function findLine(page: Page, text: string): Promise<void> {
  await page.locator(`${byTestId('find-lesson')} input`).fill(text)
  // The page filters by the text in its address.
  await page.waitForURL(url => (url.searchParams.get('text') ?? '') === text)
}

async function chooseTeacher(page: Page, name: string, school: string): Promise<void> {
  // A list that is still open keeps the keyboard.
  await page.click(`${byTestId('lesson-card')} h2`)
  await page.waitForSelector('.n-base-select-menu', { state: 'hidden' })
  await page.click(`${byTestId('lesson-card')} .n-base-selection`)
  await page.keyboard.type(name)
  await page.locator('.n-base-select-option', { hasText: school === '' ? name : `${name} · ${school}` }).first().click()
}

test('a substitute, a swap, a cancelled lesson and a moved day, each clicked', async () => {
  const { page } = scheduler
  const { first, second, free } = await daysToCome()
  const day = await lessonsOn(first)
  const meets = (one: Lesson, other: Lesson) => one.starts_at_ms < other.ends_at_ms && other.starts_at_ms < one.ends_at_ms
  const rooms = (one: Lesson) => [one.classroom_id, one.class_id, ...one.listening.flatMap(end => [end.classroom_id, end.class_id])]
  const apart = (one: Lesson, other: Lesson) => one.teacher_id !== other.teacher_id && !rooms(one).some(room => room !== null && rooms(other).includes(room))
  const names = new Map((await callApi<{ items: { organisation_id: string, name: string }[] }>(page, 'GET', 'organisations?limit=200')).items.map(one => [one.organisation_id, one.name]))
  const ofAnother = (one: Lesson, other: Lesson) => one.organisation_id !== other.organisation_id
  await page.goto(`${hub.origin}/dispatch?day=${first}`)
  await page.waitForSelector('[data-lesson]')

  // Somebody who teaches elsewhere at that time: the card names that lesson. Somebody who is free takes it.
  const taken = day.find(one => day.some(other => ofAnother(one, other) && meets(one, other) && apart(one, other)))
  const busy = day.find(other => taken !== undefined && ofAnother(taken, other) && meets(taken, other) && apart(taken, other))
  if (taken === undefined || busy === undefined) throw new Error('NOT RUN: no two lessons of the sample meet')
  const { items: people } = await callApi<{ items: { person_id: string, name: string, organisation: string, organisation_id: string }[] }>(page, 'GET', 'people?limit=200')
  const idle = people.find(one => one.organisation_id !== taken.organisation_id && !day.some(lesson => lesson.teacher_id === one.person_id && meets(lesson, taken)))
  if (idle === undefined) throw new Error('NOT RUN: nobody of the sample is free')
  await findLine(page, names.get(taken.organisation_id) ?? '')
  await open(page, taken)
  await page.click(byTestId('act-substitute'))
  await chooseTeacher(page, busy.teacher, names.get(busy.organisation_id) ?? '')
  await page.waitForSelector(`${byTestId('lesson-card')} .clashes`)
  expect(await page.locator(`${byTestId('lesson-card')} .clashes`).textContent()).toContain(`《${busy.title}》`)
  expect(await page.locator(byTestId('act-save')).isDisabled()).toBe(true)
  await chooseTeacher(page, idle.name, idle.organisation)
  await page.waitForSelector(`${byTestId('lesson-card')} .free`)
  await page.click(byTestId('act-save'))
  await page.getByText('已换人代课').waitFor()
  expect((await lessonsOn(first)).find(one => one.lesson_id === taken.lesson_id)?.teacher_id).toBe(idle.person_id)

  // Two lessons take each other's place.
  await page.click(`${byTestId('lesson-card')} header .button`)
  const now = await lessonsOn(first)
  const pair = now.flatMap(one => now.filter(other => one.starts_at_ms < other.starts_at_ms && !meets(one, other)
    && one.lesson_id !== taken.lesson_id && other.lesson_id !== taken.lesson_id).map(other => [one, other] as const))
  let swapped: readonly [Lesson, Lesson] | undefined
  for (const [one, other] of pair) {
    const act = { kind: 'swap', lesson_id: one.lesson_id, with: other.lesson_id, with_version: other.version }
    if ((await callApi<{ clashes: unknown[] }>(page, 'POST', 'dispatch/acts', { act, dry_run: true })).clashes.length === 0) {
      swapped = [one, other]
      break
    }
  }
  if (swapped === undefined) throw new Error('NOT RUN: no two lessons of the sample can be swapped')
  const [one, other] = swapped
  await findLine(page, '')
  await open(page, one)
  await page.click(byTestId('act-swap'))
  await page.locator(`[data-lesson="${other.lesson_id}"]`).first().click()
  await page.waitForSelector(`${byTestId('lesson-card')} .free`)
  await page.click(byTestId('act-save'))
  await page.getByText('已经对调').waitFor()
  expect((await lessonsOn(first)).find(lesson => lesson.lesson_id === one.lesson_id)?.period).toBe(other.period)

  // Snow: one lesson is called off, with a reason that everybody reads.
  await page.click(`${byTestId('lesson-card')} header .button`)
  await open(page, other)
  await page.click(byTestId('act-cancel'))
  await page.selectOption('#cancel-kind', 'weather')
  await page.fill(`${byTestId('lesson-card')} textarea`, '大雪封山，校车停开')
  await page.click(byTestId('act-save'))
  await page.getByText('已停课，听讲教室会看到原因').waitFor()
  expect((await lessonsOn(first)).find(lesson => lesson.lesson_id === other.lesson_id)?.state).toBe('cancelled')
  await page.click(`${byTestId('lesson-card')} header .button`)
  await open(page, other)
  await page.locator(byTestId('lesson-card')).getByText('大雪封山，校车停开').waitFor()
  await page.click(`${byTestId('lesson-card')} header .button`)

  // Somebody's lesson stands on the free day already: of the whole day, the lesson that wants its place stays, by name.
  const wants = (await lessonsOn(first)).filter(lesson => lesson.state === 'scheduled')
  const stands = (await lessonsOn(second)).find(lesson => wants.some(want => want.teacher_id === lesson.teacher_id))
  const stays = wants.find(want => want.teacher_id === stands?.teacher_id)
  if (stands === undefined || stays === undefined) throw new Error('NOT RUN: nobody of the sample teaches on both days')
  const act = { kind: 'move', lesson_id: stands.lesson_id, date: free, period: stays.period, classroom_id: null }
  await callApi(page, 'POST', 'dispatch/acts', { act, dry_run: false }, { 'if-match': `"v${stands.version}"` })
  await findLine(page, '')
  await page.click(byTestId('move-day'))
  await page.fill(`${byTestId('move-day-to')} input`, free)
  await page.keyboard.press('Enter')
  await page.waitForSelector(byTestId('move-day-stays'))
  const said = await page.locator(byTestId('move-day-stays')).textContent() ?? ''
  expect(said).toContain(`《${stays.title}》`)
  expect(said).toContain(`《${stands.title}》`)
  await page.locator(byTestId('move-day-go')).filter({ hasText: '只移其余' }).click()
  await page.getByText('已移到').waitFor()
  const left = (await lessonsOn(first)).filter(lesson => lesson.state === 'scheduled')
  expect(left.map(lesson => lesson.lesson_id)).toContain(stays.lesson_id)
  expect((await lessonsOn(free)).length).toBe(wants.length - left.length + 1)

  expect(scheduler.errors).toEqual([])
  expect(hub.errorLines()).toEqual([])
}, 180_000)
