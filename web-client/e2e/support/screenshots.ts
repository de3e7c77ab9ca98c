// Pictures of pages, to be looked at. SCREENS names the folder they go to.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { launchChromium } from './chromium'
import { TestHub } from './hub'

const folder = process.env.SCREENS ?? 'screens'
/** Transitions are over by then. */
const SETTLES_MS = 500

export interface Viewport { name: string, width: number, height: number, colorScheme: 'light' | 'dark' }

export const LARGE: Viewport = { name: '1920', width: 1920, height: 1080, colorScheme: 'light' }
export const SMALL: Viewport = { name: '1366', width: 1366, height: 768, colorScheme: 'light' }
export const PHONE: Viewport = { name: 'phone', width: 390, height: 844, colorScheme: 'light' }
export const DARK: Viewport = { name: 'dark', width: 1366, height: 768, colorScheme: 'dark' }
export const VIEWPORTS: readonly Viewport[] = [LARGE, SMALL, PHONE, DARK]

/** The longest name of a class and of a teacher that is known. */
export const LONG_CLASS = '汉滨区茨沟镇中心小学景家教学点三年级二班'
export const LONG_PERSON = '买买提江·阿不都热合曼·吐尔逊'

export const inDark = (viewport: Viewport): Viewport => ({ ...viewport, name: `dark-${viewport.name}`, colorScheme: 'dark' })

export interface Screens {
  /** There once the tests run. */
  readonly browser: Browser
  /** One more hub, with the sample county or as on the first day; it ends with the tests. */
  hub: (kind?: 'sample' | 'empty') => Promise<TestHub>
  /** `at`: what is to stand in the middle of the picture. */
  shoot: (page: Page, name: string, viewports?: readonly Viewport[], at?: string) => Promise<void>
  /** Pages that are wider than the viewport. */
  readonly overflows: readonly string[]
}

/** Browser, hubs and camera of a test file; to be called once, outside of its tests. */
export function screens(): Screens {
  let browser: Browser | undefined
  const hubs: TestHub[] = []
  const overflows: string[] = []
  beforeAll(async () => {
    await mkdir(folder, { recursive: true })
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    for (const hub of hubs) await hub.stop()
  })
  return {
    get browser() {
      if (browser === undefined) throw new Error('the browser is there once the tests run')
      return browser
    },
    hub: async (kind = 'sample') => {
      const hub = kind === 'sample' ? await TestHub.start() : await TestHub.empty()
      hubs.push(hub)
      return hub
    },
    shoot: async (page, name, viewports = VIEWPORTS, at) => {
      for (const viewport of viewports) {
        await page.setViewportSize(viewport)
        await page.emulateMedia({ colorScheme: viewport.colorScheme })
        if (at !== undefined) await page.locator(at).first().evaluate(element => element.scrollIntoView({ block: 'center' }))
        await page.waitForTimeout(SETTLES_MS)
        await page.screenshot({ path: join(folder, `${name}-${viewport.name}.png`) })
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        if (over > 0) overflows.push(`${name} at ${viewport.name}: ${over} px`)
      }
    },
    overflows,
  }
}

/** Switches the page to English. */
export async function inEnglish(page: Page): Promise<void> {
  await page.evaluate(() => localStorage.setItem('tongke.language', 'en'))
  await page.reload()
}
