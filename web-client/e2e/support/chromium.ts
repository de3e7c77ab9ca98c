// Debian's own browsers, each page in a context of its own: background tabs would fall to one frame a second.
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core'
import { drawTestPattern, recordFrames } from './test-pattern'

const CHROMIUM = '/usr/bin/chromium'

// The same program inside a network namespace: it is spoken to over pipes, which cross namespaces.
async function inside(namespace: string): Promise<string> {
  const script = join(await mkdtemp(join(tmpdir(), 'tongke-chromium-')), 'chromium')
  await writeFile(script, `#!/bin/sh\nexec ip netns exec ${namespace} ${CHROMIUM} "$@"\n`)
  await chmod(script, 0o755)
  return script
}

// The autoplay flag is left out on purpose: a classroom must speak by itself, or ask for one press of OK.
export async function launchChromium(namespace?: string): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error('NOT RUN: no Chromium at /usr/bin/chromium')
  return chromium.launch({
    executablePath: namespace === undefined ? CHROMIUM : await inside(namespace),
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
  recordFrames: typeof recordFrames
  // What the page's connections have heard so far.
  audioStats: () => Promise<{ energy: number, samples: number, concealed: number }>
}

// Runs in the page before its own scripts: keeps its connections where a test can ask them.
export function trackConnections(): void {
  const store = window as unknown as { connections: RTCPeerConnection[] }
  store.connections = []
  const Real = RTCPeerConnection
  window.RTCPeerConnection = class extends Real {
    constructor(configuration?: RTCConfiguration) {
      super(configuration)
      store.connections.push(this)
    }
  }
}

export async function audioStats(): Promise<{ energy: number, samples: number, concealed: number }> {
  const sum = { energy: 0, samples: 0, concealed: 0 }
  const { connections } = window as unknown as { connections: RTCPeerConnection[] }
  for (const connection of connections) {
    for (const stat of (await connection.getStats()).values() as Iterable<Record<string, number | string>>) {
      if (stat.type === 'inbound-rtp' && stat.kind === 'audio') {
        sum.energy += Number(stat.totalAudioEnergy)
        sum.samples += Number(stat.totalSamplesReceived)
        sum.concealed += Number(stat.concealedSamples) - Number(stat.silentConcealedSamples)
      }
    }
  }
  return sum
}

export interface VisitOptions {
  width?: number
  height?: number
  // Camera, microphone and board are drawn in the page; slides stand still between two pages.
  testPattern?: boolean | 'slides'
  recordFramesOf?: string[]
  devices?: boolean
  // A finger instead of a mouse.
  touch?: boolean
  dark?: boolean
  // The hub's own certificate is taken as it is: cameras are given to pages from elsewhere by https alone.
  ignoreCertificate?: boolean
}

export async function visit(browser: Browser, url: string, options: VisitOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 720 },
    hasTouch: options.touch ?? false,
    colorScheme: options.dark === true ? 'dark' : 'light',
    ignoreHTTPSErrors: options.ignoreCertificate ?? false,
    locale: 'zh-CN',
    timezoneId: 'Asia/Shanghai',
    // A wall is never asked for them; where they were given, the browser binds each address for itself.
    permissions: options.devices === false ? [] : ['camera', 'microphone'],
  })
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error.message))
  if (options.testPattern !== undefined && options.testPattern !== false) await page.addInitScript(drawTestPattern, options.testPattern)
  await page.addInitScript(trackConnections)
  for (const selector of options.recordFramesOf ?? []) await page.addInitScript(recordFrames, selector)
  await page.goto(url)
  return { context, page, errors, recordFrames, audioStats: () => page.evaluate(audioStats) }
}
