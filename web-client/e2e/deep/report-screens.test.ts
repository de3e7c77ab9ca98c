// Pictures of the report pages with a lesson of real browsers, long names, and nothing, to be looked at. SCREENS names the folder.
import { expect, test } from 'vitest'
import { by } from '../support/administrators'
import { ask } from '../support/api'
import { visit } from '../support/chromium'
import { visitInTab, workedOut } from '../support/lesson-report'
import { LARGE, SMALL, screens } from '../support/screenshots'

const LIVE = '[data-testid="wall"][data-state="live"]'
const shots = screens()
const { shoot, wide } = shots

test('the report of a lesson, the list, and the wall that counts are photographed', async () => {
  const hub = await shots.hub()
  const officer = await visit(shots.browser, hub.at(hub.sample.sign_in_links.scheduler))
  await officer.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  await officer.page.goto(`${hub.origin}/reports`)
  await officer.page.waitForSelector('.empty')
  await shoot(officer.page, 'reports-empty')

  const teacher = await visit(shots.browser, hub.at(hub.sample.sign_in_links.teacher), { draws: true })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector(by('device-check'))
  await teacher.page.click(by('start'))
  await teacher.page.waitForSelector(by('desk'))
  const [first, second] = hub.sample.sign_in_links.classrooms
  const whole = await visit(shots.browser, hub.at(first ?? ''), { devices: false })
  const part = await visitInTab(hub.at(second ?? ''))
  await whole.page.waitForSelector(LIVE)
  await whole.page.keyboard.press('Enter')
  await part.page.waitForSelector(LIVE)
  await part.page.keyboard.press('Enter')
  await teacher.page.waitForTimeout(12_000)
  await whole.page.mouse.move(10, 10)
  await whole.page.focus(by('heads'))
  await whole.page.keyboard.press('Enter')
  await whole.page.waitForSelector(by('heads-count'))
  for (const key of ['2', '4']) await whole.page.keyboard.press(key)
  await shoot(whole.page, 'wall-heads', [LARGE, SMALL])
  await whole.page.keyboard.press('Enter')
  await shoot(whole.page, 'wall-heads-told', [SMALL])
  const show = await part.hide()
  await teacher.page.waitForTimeout(12_000)
  await show()
  await officer.page.goto(`${hub.origin}/reports/${hub.sample.lesson_id}`)
  await officer.page.waitForSelector(by('attendance'))
  await officer.page.waitForSelector(`${by('quality-chart')} svg`)
  await shoot(officer.page, 'report-running')
  await part.close()
  await teacher.page.waitForTimeout(8_000)
  await ask(teacher.page, 'POST', `lessons/${hub.sample.lesson_id}/end`, {})
  await workedOut(teacher.page, hub.sample.lesson_id)

  await officer.page.reload()
  await officer.page.waitForSelector(`${by('quality-chart')} svg`)
  await officer.page.locator(by('formula')).first().locator('summary').click()
  await shoot(officer.page, 'report')
  await officer.page.locator(by('quality-chart')).scrollIntoViewIfNeeded()
  await shoot(officer.page, 'report-quality')
  await officer.page.goto(`${hub.origin}/reports`)
  await officer.page.waitForSelector(by(`report-${hub.sample.lesson_id}`))
  await shoot(officer.page, 'reports')
  await officer.page.goto(`${hub.origin}/reports/01999999-9999-7999-8999-999999999999`)
  await officer.page.waitForSelector(by('not-found'))
  await shoot(officer.page, 'report-not-found')
  expect([...officer.errors, ...teacher.errors, ...whole.errors, ...part.errors]).toEqual([])
  expect(wide).toEqual([])
}, 300_000)
