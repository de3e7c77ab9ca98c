// Pictures of every console page, with the sample county and on the first day, to be looked at. SCREENS names the folder.
import { expect, test } from 'vitest'
import { setOwnPassword, setUp, signIn } from '../support/administrators'
import { callApi } from '../support/api'
import { visit } from '../support/chromium'
import { screens } from '../support/screenshots'
import { byTestId } from '../support/selectors'

const LONG = '陕西省安康市汉滨区茨沟镇中心小学景家河流域第二教学点'
const shots = screens()
const { shoot, overflows } = shots

test('every console page with the sample county is photographed', async () => {
  const hub = await shots.hub()
  const { page, errors } = await visit(shots.browser, hub.at(hub.sample.sign_in_links.scheduler))
  await page.waitForURL(url => !url.pathname.startsWith('/enter'))
  await expect.poll(async () => (await callApi<{ items: unknown[] }>(page, 'GET', 'terms')).items.length, { timeout: 20_000 }).toBeGreaterThan(0)
  const { items } = await callApi<{ items: { organisation_id: string, kind: string, name: string }[] }>(page, 'GET', 'organisations?limit=200')
  const bureau = items.find(one => one.kind === 'county')?.organisation_id
  // One of the fixture county, whose term is planned.
  const school = items.find(one => one.name === '沈坝镇中心小学')?.organisation_id
  const go = async (path: string, name: string, ready: string) => {
    await page.goto(hub.origin + path)
    await page.waitForSelector(ready)
    await page.waitForTimeout(600)
    await shoot(page, name)
  }
  await go('/lessons', 'today', byTestId('today'))
  await go('/organisations', 'organisations', byTestId('organisation'))
  await go('/people', 'people', '.n-data-table')
  await go('/devices', 'devices-empty', 'h1')
  // What has begun was not planned any more: the week after this one is whole.
  const { items: terms } = await callApi<{ items: { first_day: string, last_day: string }[] }>(page, 'GET', 'terms')
  const today = new Date().toISOString().slice(0, 10)
  const term = terms.find(one => one.first_day <= today && today <= one.last_day)
  const monday = (day: string) => Math.floor((Date.parse(day) / 86_400_000 + 3) / 7)
  const week = term === undefined ? 5 : monday(today) - monday(term.first_day) + 2
  await go(`/timetable?school=${school}&week=${week}`, 'timetable-school', byTestId('week-grid'))
  for (const view of ['class', 'teacher', 'classroom'])
    await go(`/timetable?school=${school}&week=${week}&by=${view}`, `timetable-${view}`, byTestId('week-grid'))
  await go(`/timetable?school=${bureau}&week=${week}`, 'timetable-county', byTestId('schools-week'))
  for (const part of ['calendar', 'bells', 'courses', 'plan']) await go(`/timetable?view=term&part=${part}&school=${school}`, `term-${part}`, '.place')
  await go('/dispatch', 'dispatch-today', byTestId('dispatch-day'))
  const tomorrow = new Date(Date.now() + 32 * 3_600_000).toISOString().slice(0, 10)
  await go(`/dispatch?day=${tomorrow}`, 'dispatch-day', byTestId('dispatch-day'))
  await go('/dispatch?view=pairings', 'dispatch-pairings', '.place')
  await go('/dispatch?view=rights', 'dispatch-rights', '.place')
  await go('/tables', 'tables', 'h1')
  await go('/account', 'account', 'h1')
  expect(errors).toEqual([])
  expect(overflows).toEqual([])
}, 300_000)

test('every console page of the first day is photographed', async () => {
  const hub = await shots.hub('empty')
  const { page, errors } = await visit(shots.browser, hub.setUpLink)
  await page.waitForSelector(byTestId('top-name'))
  await shoot(page, 'set-up')
  const links = await setUp(page)
  await shoot(page, 'set-up-done')
  await page.goto(hub.at(links.system_administrator))
  await page.waitForSelector(byTestId('new-password'))
  await shoot(page, 'welcome')
  const secret = await setOwnPassword(page)
  await page.goto(`${hub.origin}/sign-in`)
  await page.waitForSelector(byTestId('sign-in'))
  await shoot(page, 'sign-in')
  await signIn(page, 'system-one', secret)
  await page.waitForSelector(byTestId('organisation'))
  const { items: [top] } = await callApi<{ items: { organisation_id: string }[] }>(page, 'GET', 'organisations?limit=1')
  const below = (name: string, kind: string, parent_id: unknown) => callApi<{ organisation_id: string }>(page, 'POST', 'organisations', { parent_id, kind, name })
  const school = await below('陕西省安康市汉滨区茨沟镇中心小学', 'centre_school', top?.organisation_id)
  const point = await below(LONG, 'teaching_point', school.organisation_id)
  const organisation_id = point.organisation_id
  await callApi(page, 'POST', 'classrooms', { organisation_id, name: '三年级四年级复式班第二教学楼多媒体录播教室' })
  for (const name of ['欧阳明月', '买买提·吐尔逊·阿卜杜热合曼']) await callApi(page, 'POST', 'people', { organisation_id, name })
  for (const [path, name] of [['/organisations', 'organisations-long'], ['/people', 'people-long'], ['/devices', 'devices-first'], ['/account', 'account-administrator']] as const) {
    await page.goto(hub.origin + path)
    await page.waitForSelector('h1, h2')
    await page.waitForTimeout(600)
    await shoot(page, name)
  }
  const wall = await visit(shots.browser, `${hub.origin}/classroom`)
  await wall.page.waitForSelector(byTestId('enrolment-code'))
  await shoot(wall.page, 'enrolment')
  const auditor = await visit(shots.browser, hub.at(links.audit_administrator))
  const auditorSecret = await setOwnPassword(auditor.page)
  await signIn(auditor.page, 'audit-one', auditorSecret)
  await auditor.page.waitForSelector('.n-data-table')
  await auditor.page.waitForTimeout(600)
  await shoot(auditor.page, 'audit')
  expect([...errors, ...auditor.errors, ...wall.errors]).toEqual([])
  expect(overflows).toEqual([])
}, 300_000)
