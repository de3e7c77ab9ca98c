// Pictures of every page during a real lesson, to be looked at. SCREENS names the folder they go to.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, visit } from '../browser'
import { TestHub } from '../hub'

const folder = process.env.SCREENS ?? 'screens'
const sizes = [{ width: 1920, height: 1080 }, { width: 1366, height: 768 }]

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

async function shoot(page: Page, name: string): Promise<void> {
  for (const size of sizes) {
    await page.setViewportSize(size)
    await page.waitForTimeout(400)
    await page.screenshot({ path: join(folder, `${name}-${size.width}.png`) })
  }
}

test('every page is photographed', async () => {
  const teacher = await visit(browser, hub.at(hub.sample.sign_in_links.teacher), { draws: true })
  await teacher.page.waitForURL('**/lessons')
  await shoot(teacher.page, '1-list')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector('[data-testid="device-check"]')
  await teacher.page.waitForTimeout(1000)
  await shoot(teacher.page, '2-check')
  const links = hub.sample.sign_in_links.classrooms
  const wall = await visit(browser, hub.at(links[0] ?? ''))
  await wall.page.waitForSelector('[data-testid="wall"][data-state="waiting"]')
  await shoot(wall.page, '3-wall-waiting')
  await teacher.page.click('[data-testid="share-board"]')
  await teacher.page.click('[data-testid="start"]')
  await teacher.page.waitForSelector('[data-testid="desk"]')
  const second = await visit(browser, hub.at(links[1] ?? ''))
  await wall.page.waitForSelector('[data-testid="wall"][data-state="live"]')
  await wall.page.waitForTimeout(4000)
  await wall.page.mouse.move(200, 200)
  await shoot(wall.page, '4-wall-live')
  await shoot(teacher.page, '5-desk')
  await second.context.close()
  const guest = await visit(browser, hub.at(hub.guestLink()))
  await guest.page.waitForTimeout(3000)
  await shoot(guest.page, '6-watch')
  await teacher.page.click('[data-testid="share-board"]')
  await teacher.page.waitForTimeout(1500)
  await shoot(wall.page, '7-wall-no-board')
  await shoot(teacher.page, '8-desk-class-lost')
  await teacher.page.locator('[data-testid="end"]').hover()
  await teacher.page.mouse.down()
  await teacher.page.waitForSelector('[data-testid="ended"]')
  await teacher.page.mouse.up()
  await shoot(teacher.page, '9-ended')
  await wall.page.waitForSelector('[data-testid="wall"][data-state="over"]')
  await shoot(wall.page, '10-wall-over')
  await teacher.page.click('[data-testid="watch-replay"]')
  await teacher.page.waitForSelector('[data-testid="camera-video"]')
  await teacher.page.waitForTimeout(1500)
  await teacher.page.evaluate(() => { const video = document.querySelector<HTMLMediaElement>('[data-testid="voice"]'); if (video !== null) video.currentTime = 5 })
  await teacher.page.waitForTimeout(1500)
  await shoot(teacher.page, '11-replay')
  await teacher.page.goto(`${hub.origin}/lessons`)
  await teacher.page.waitForTimeout(500)
  await shoot(teacher.page, '12-list-after')
  expect(hub.faults()).toEqual([])
})
