// The sample's lesson, as its teacher begins and ends it.
import type { Browser } from 'playwright-core'
import { type VisitOptions, type Visitor, visit } from './chromium'
import type { TestHub } from './hub'
import { byTestId } from './selectors'

/** The teacher at the check of camera and microphone, which stands before the desk. */
export async function openDeviceCheck(browser: Browser, hub: TestHub, query = '', options: VisitOptions = {}): Promise<Visitor> {
  const teacher = await visit(browser, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true, ...options })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p${query}`)
  await teacher.page.waitForSelector(byTestId('device-check'))
  return teacher
}

export async function startLesson({ page }: Visitor, { board }: { board: boolean }): Promise<void> {
  if (board) {
    await page.click(byTestId('share-board'))
    await page.waitForSelector(byTestId('board-preview'))
  }
  await page.click(byTestId('start'))
  await page.waitForSelector(byTestId('desk'))
}

/** 下课 asks for a long press. Returns when the page says that the lesson is over. */
export async function endLesson({ page }: Visitor): Promise<void> {
  await page.locator(byTestId('end')).hover()
  await page.mouse.down()
  await page.waitForSelector(byTestId('ended'))
  await page.mouse.up()
}
