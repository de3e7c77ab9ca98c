// Debian's own browsers, each page in a context of its own: background tabs would fall to one frame a second.
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core'
import { drawLesson } from './material'

const CHROMIUM = '/usr/bin/chromium'

// The autoplay flag is left out on purpose: a classroom must speak by itself, or ask for one press of OK.
export async function launchChromium(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error('NOT RUN: no Chromium at /usr/bin/chromium')
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    ignoreDefaultArgs: ['--mute-audio', '--autoplay-policy=user-gesture-required'],
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--use-fake-ui-for-media-stream', '--disable-dev-shm-usage',
      '--disable-renderer-backgrounding', '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows',
    ],
  })
}

export interface Visitor {
  context: BrowserContext
  page: Page
  errors: string[]
}

export async function visit(browser: Browser, url: string, options: { width?: number, height?: number, draws?: boolean } = {}): Promise<Visitor> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 720 },
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    permissions: ['camera', 'microphone'],
  })
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error.message))
  if (options.draws === true) await page.addInitScript(drawLesson)
  await page.goto(url)
  return { context, page, errors }
}
