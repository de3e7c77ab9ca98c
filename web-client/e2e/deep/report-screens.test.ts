// Pictures of the report pages with a lesson of real browsers, long names, and nothing, to be looked at. SCREENS names the folder.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { by } from '../administrators'
import { ask } from '../ask'
import { launchChromium, visit } from '../browser'
import { TestHub } from '../hub'
import { visitInTab, workedOut } from '../reports'

const folder = process.env.SCREENS ?? 'screens'
const LOOKS = [
  { name: '1920', width: 1920, height: 1080, colorScheme: 'light' },
  { name: '1366', width: 1366, height: 768, colorScheme: 'light' },
  { name: 'phone', width: 390, height: 844, colorScheme: 'light' },
  { name: 'dark', width: 1366, height: 768, colorScheme: 'dark' },
] as const
const LIVE = '[data-testid="wall"][data-state="live"]'

let hub: TestHub
let browser: Browser

beforeAll(async () => {
  await mkdir(folder, { recursive: true })
  hub = await TestHub.start()
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

const wide: string[] = []

async function shoot(page: Page, name: string): Promise<void> {
  for (const look of LOOKS) {
    await page.setViewportSize(look)
    await page.emulateMedia({ colorScheme: look.colorScheme })
    await page.waitForTimeout(500)
    await page.screenshot({ path: join(folder, `${name}-${look.name}.png`) })
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    if (over > 0) wide.push(`${name} at ${look.name}: ${over} px`)
  }
}

test('the report of a lesson, the list, and the wall that counts are photographed', async () => {
  const officer = await visit(browser, hub.at(hub.sample.sign_in_links.scheduler))
  await officer.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  await officer.page.goto(`${hub.origin}/reports`)
  await officer.page.waitForSelector('.empty')
  await shoot(officer.page, 'reports-empty')

  const teacher = await visit(browser, hub.at(hub.sample.sign_in_links.teacher), { draws: true })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector(by('device-check'))
  await teacher.page.click(by('start'))
  await teacher.page.waitForSelector(by('desk'))
  const [first, second] = hub.sample.sign_in_links.classrooms
  const whole = await visit(browser, hub.at(first ?? ''), { devices: false })
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
  for (const look of LOOKS.slice(0, 2)) {
    await whole.page.setViewportSize(look)
    await whole.page.waitForTimeout(300)
    await whole.page.screenshot({ path: join(folder, `wall-heads-${look.name}.png`) })
  }
  await whole.page.keyboard.press('Enter')
  await whole.page.waitForTimeout(500)
  await whole.page.screenshot({ path: join(folder, 'wall-heads-told.png') })
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
