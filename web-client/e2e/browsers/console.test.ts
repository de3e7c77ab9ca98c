// The first day of a bureau: the hub is set up, its administrator signs in, a school and a room come into being,
// and the room's PC is let in by the code on its screen.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { setOwnPassword, setUp, signIn } from '../support/administrators'
import { callApi } from '../support/api'
import { launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { byTestId } from '../support/selectors'

const SCHOOL = '汉滨区茨沟镇中心小学'
const ROOM = '三年级（2）班教室'
const DEVICE = '讲台电脑'
const ASSISTANT = '刘助教'

let hub: TestHub
let browser: Browser

beforeAll(async () => {
  hub = await TestHub.empty()
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

async function addSchoolAndRoom(page: Page): Promise<void> {
  await page.click(byTestId('add-below'))
  await page.fill(byTestId('organisation-name'), SCHOOL)
  await page.click(byTestId('form-go'))
  await page.locator(byTestId('organisation')).getByRole('heading', { name: SCHOOL }).waitFor()
  await page.click(byTestId('add-room'))
  await page.fill(byTestId('room-name'), ROOM)
  await page.click(byTestId('form-go'))
  await page.locator(byTestId('organisation')).getByText(ROOM).waitFor()
}

/** Pupils on stage are recorded once their school has said so, and on what ground; and no longer when it says that. */
async function consentByKeys(page: Page): Promise<void> {
  const state = page.locator(byTestId('stage-consent-state'))
  await state.filter({ hasText: '不录' }).waitFor()
  await page.focus(byTestId('stage-consent-on'))
  await page.keyboard.press('Enter')
  expect(await page.locator(byTestId('stage-consent-save')).isDisabled()).toBe(true)
  await page.keyboard.type('三年级家长同意书')
  await page.keyboard.press('Enter')
  await page.locator(byTestId('stage-consent'), { hasText: '依据：三年级家长同意书' }).waitFor()
  expect(await state.textContent()).toMatch(/录：/)
  expect(await page.locator(byTestId('stage-consent')).textContent()).toContain('从下一节课起')
  await page.reload()
  await page.locator(byTestId('stage-consent'), { hasText: '三年级家长同意书' }).waitFor()
  await page.focus(byTestId('stage-consent-off'))
  await page.keyboard.press('Enter')
  await state.filter({ hasText: '不录' }).waitFor()
  expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('stage-consent-on')
}

test('an administrator signs in with a password, and lets a classroom in by the code on its screen', async () => {
  const office = await visit(browser, hub.setUpLink)
  const { page } = office
  const links = await setUp(page)
  await page.goto(hub.at(links.system_administrator))
  const secret = await setOwnPassword(page)
  await signIn(page, 'system-one', secret)
  await page.waitForSelector(byTestId('organisation'))
  await addSchoolAndRoom(page)
  await consentByKeys(page)

  const room = await visit(browser, `${hub.origin}/classroom`)
  const code = await room.page.locator(byTestId('enrolment-code')).textContent() ?? ''
  expect(code).toMatch(/^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$/)

  await page.click(byTestId('way-devices'))
  await page.click(byTestId('enrol'))
  await page.fill(byTestId('device-code'), code.toLowerCase())
  await page.click(`${byTestId('device-classroom')} .n-base-selection`)
  await page.keyboard.type('三年级')
  await page.locator('.n-base-select-option', { hasText: ROOM }).click()
  await page.fill(byTestId('device-name'), DEVICE)
  await page.click(byTestId('form-go'))

  // It is on the list, and the room's screen has gone in by itself: nobody touched it.
  await page.locator('.n-data-table', { hasText: DEVICE }).waitFor()
  await room.page.waitForSelector(`${byTestId('wall')}[data-state="today"]`)
  expect(await room.page.locator(byTestId('wall')).textContent()).toContain(ROOM)

  // Who stands in the room is named there, by those whom the school has made assistants.
  const { items: [school] } = await callApi<{ items: { organisation_id: string }[] }>(page, 'GET', `organisations?text=${encodeURIComponent(SCHOOL)}`)
  const assistant = await callApi<{ person_id: string }>(page, 'POST', 'people', { organisation_id: school?.organisation_id, name: ASSISTANT })
  const guard = await visit(browser, hub.at(links.security_administrator))
  const guardSecret = await setOwnPassword(guard.page)
  await signIn(guard.page, 'security-one', guardSecret)
  await guard.page.waitForURL(url => url.pathname === '/people')
  await callApi(guard.page, 'POST', `people/${assistant.person_id}/roles`, { role: 'assistant', organisation_id: school?.organisation_id })
  await room.page.click(byTestId('assistant'))
  await room.page.locator(byTestId('assistant-name'), { hasText: ASSISTANT }).click()
  await room.page.locator(byTestId('assistant'), { hasText: `助教：${ASSISTANT}` }).waitFor()
  expect(await callApi<{ assistant: { name: string } }>(room.page, 'GET', 'me')).toMatchObject({ assistant: { name: ASSISTANT } })

  // Its key stays with it: without its cookie it comes back by itself, and the key cannot be read out.
  await room.context.clearCookies()
  await room.page.reload()
  await room.page.waitForSelector(`${byTestId('wall')}[data-state="today"]`)
  await expect(room.page.evaluate(async () => {
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      const open = indexedDB.open('tongke', 1)
      open.onsuccess = () => resolve(open.result)
      open.onerror = () => reject(open.error ?? new Error('the database does not open'))
    })
    const key = await new Promise<{ pair: CryptoKeyPair }>((resolve) => {
      const request = database.transaction('device').objectStore('device').get('key')
      request.onsuccess = () => resolve(request.result as { pair: CryptoKeyPair })
    })
    await crypto.subtle.exportKey('pkcs8', key.pair.privateKey)
  })).rejects.toThrow()

  // A table with a bad line is told line by line and not taken in; the mended one is, and a second time changes nothing.
  await page.click(byTestId('way-tables'))
  await page.click(byTestId('table-classes'))
  const table = (grade: string) => ({ name: '班级.csv', mimeType: 'text/csv', buffer: Buffer.from(`学校,学段,年级,名称,教室\n${SCHOOL},小学,${grade},（2）班,${ROOM}\n`) })
  await page.setInputFiles(byTestId('table-file'), table(''))
  await page.locator(byTestId('table-faults'), { hasText: '不能为空' }).waitFor()
  expect(await page.locator(byTestId('table-take')).count()).toBe(0)
  await page.setInputFiles(byTestId('table-file'), table('三年级'))
  await page.click(byTestId('table-take'))
  await page.waitForSelector(byTestId('table-taken'))
  await page.setInputFiles(byTestId('table-file'), table('三年级'))
  await page.locator(byTestId('table-report'), { hasText: '不变 1' }).waitFor()

  expect([...office.errors, ...room.errors, ...guard.errors]).toEqual([])
  expect(hub.errorLines()).toEqual([])
})
