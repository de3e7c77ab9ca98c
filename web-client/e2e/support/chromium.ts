// Debian's Chromium. Each page has a context of its own: a tab in the background would draw one frame a second.
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core'
import { drawTestPattern, recordFrames } from './test-pattern'

const CHROMIUM = '/usr/bin/chromium'

// The same program inside a network namespace: Playwright talks to it over pipes, which cross namespaces.
async function inside(namespace: string): Promise<string> {
  const script = join(await mkdtemp(join(tmpdir(), 'tongke-chromium-')), 'chromium')
  await writeFile(script, `#!/bin/sh\nexec ip netns exec ${namespace} ${CHROMIUM} "$@"\n`)
  await chmod(script, 0o755)
  return script
}

// Autoplay stays as Chromium has it: a classroom must start its sound by itself, or ask for one press of OK.
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
  // Inbound audio of all connections of the page since they began.
  audioStats: () => Promise<{ energy: number, samples: number, concealed: number }>
}

// Runs in the page before its own scripts: keeps every RTCPeerConnection in `window.connections`.
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
  // Camera, microphone and board are the test pattern; 'slides' changes the board every ten seconds only.
  testPattern?: boolean | 'slides'
  recordFramesOf?: string[]
  devices?: boolean
  // Touch instead of a mouse.
  touch?: boolean
  dark?: boolean
  // Accepts the hub's self-signed certificate: a page of another host gets a camera by https alone.
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
    // Without these permissions, as on a classroom's page, the browser does not bind every local address for ICE.
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
