// Pictures of the report pages with a lesson of real browsers, long names, and nothing, to be looked at. SCREENS names the folder.
import { expect, test } from 'vitest'
import { callApi } from '../support/api'
import { visit } from '../support/chromium'
import { visitInTab, finishedReport } from '../support/lesson-report'
import { LARGE, SMALL, screens } from '../support/screenshots'
import { byTestId } from '../support/selectors'

const LIVE = '[data-testid="wall"][data-state="live"]'
const shots = screens()
const { shoot, overflows } = shots

test('the report of a lesson, the list, and the wall that counts are photographed', async () => {
  const hub = await shots.hub()
  const officer = await visit(shots.browser, hub.at(hub.sample.sign_in_links.scheduler))
  await officer.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  await officer.page.goto(`${hub.origin}/reports`)
  await officer.page.waitForSelector('.empty')
  await shoot(officer.page, 'reports-empty')

  const teacher = await visit(shots.browser, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector(byTestId('device-check'))
  await teacher.page.click(byTestId('start'))
  await teacher.page.waitForSelector(byTestId('desk'))
  const [first, second] = hub.sample.sign_in_links.classrooms
  const whole = await visit(shots.browser, hub.at(first ?? ''), { devices: false })
  const part = await visitInTab(hub.at(second ?? ''))
  await whole.page.waitForSelector(LIVE)
  await whole.page.keyboard.press('Enter')
  await part.page.waitForSelector(LIVE)
  await part.page.keyboard.press('Enter')
  await teacher.page.waitForTimeout(12_000)
  await whole.page.mouse.move(10, 10)
  await whole.page.focus(byTestId('heads'))
  await whole.page.keyboard.press('Enter')
  await whole.page.waitForSelector(byTestId('heads-count'))
  for (const key of ['2', '4']) await whole.page.keyboard.press(key)
  await shoot(whole.page, 'wall-heads', [LARGE, SMALL])
  await whole.page.keyboard.press('Enter')
  await shoot(whole.page, 'wall-heads-told', [SMALL])
  const show = await part.hide()
  await teacher.page.waitForTimeout(12_000)
  await show()
  await officer.page.goto(`${hub.origin}/reports/${hub.sample.lesson_id}`)
  await officer.page.waitForSelector(byTestId('attendance'))
  await officer.page.waitForSelector(`${byTestId('quality-chart')} svg`)
  await shoot(officer.page, 'report-running')
  await part.close()
  await teacher.page.waitForTimeout(8_000)
  await callApi(teacher.page, 'POST', `lessons/${hub.sample.lesson_id}/end`, {})
  await finishedReport(teacher.page, hub.sample.lesson_id)

  await officer.page.reload()
  await officer.page.waitForSelector(`${byTestId('quality-chart')} svg`)
  await officer.page.locator(byTestId('formula')).first().locator('summary').click()
  await shoot(officer.page, 'report')
  await officer.page.locator(byTestId('quality-chart')).scrollIntoViewIfNeeded()
  await shoot(officer.page, 'report-quality')
  await officer.page.goto(`${hub.origin}/reports`)
  await officer.page.waitForSelector(byTestId(`report-${hub.sample.lesson_id}`))
  await shoot(officer.page, 'reports')
  await officer.page.goto(`${hub.origin}/reports/01999999-9999-7999-8999-999999999999`)
  await officer.page.waitForSelector(byTestId('not-found'))
  await shoot(officer.page, 'report-not-found')
  expect([...officer.errors, ...teacher.errors, ...whole.errors, ...part.errors]).toEqual([])
  expect(overflows).toEqual([])
}, 300_000)
