// Debian's Firefox, driven by WebDriver BiDi: it has VP8, VP9 and AV1 for calls, but no H.264.
import { existsSync } from 'node:fs'
import { type Browser, type Page, launch } from 'puppeteer-core'
import { audioStats, trackConnections } from './chromium'
import { drawTestPattern, recordFrames } from './test-pattern'

const FIREFOX = '/usr/bin/firefox-esr'

// Autoplay stays as Firefox has it: a page needs a press before it may play sound.
export async function launchFirefox(): Promise<Browser> {
  if (!existsSync(FIREFOX)) throw new Error('NOT RUN: no Firefox at /usr/bin/firefox-esr')
  return launch({
    browser: 'firefox',
    executablePath: FIREFOX,
    headless: true,
    defaultViewport: { width: 1280, height: 720 },
    extraPrefsFirefox: {
      'intl.accept_languages': 'zh-CN',
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      // Its own H.264 would be a download from the network.
      'media.gmp-manager.updateEnabled': false,
    },
  })
}

// Runs after drawTestPattern. Without a sound card Firefox never starts an AudioContext, so the drawn beeps stay silent; its
// own fake microphone, a steady tone, needs none.
function hearFakeMicrophone(): void {
  if (!('mediaDevices' in navigator)) return
  const { mediaDevices } = navigator
  const drawn = mediaDevices.getUserMedia
  mediaDevices.getUserMedia = async (constraints) => {
    const stream = await drawn.call(mediaDevices, { ...constraints, audio: false })
    if (constraints?.audio) {
      const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }
      const microphone = await MediaDevices.prototype.getUserMedia.call(mediaDevices, { audio: plain })
      for (const track of microphone.getTracks()) stream.addTrack(track)
    }
    return stream
  }
}

export interface FirefoxVisitor {
  page: Page
  errors: string[]
  audioStats: () => ReturnType<typeof audioStats>
}

// One page for each Firefox: a tab in the background would draw one frame a second.
export async function visitFirefox(browser: Browser, url: string, options: { testPattern?: boolean, recordFramesOf?: string[] } = {}): Promise<FirefoxVisitor> {
  const page = await browser.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error instanceof Error ? error.message : String(error)))
  if (options.testPattern === true) {
    await page.evaluateOnNewDocument(drawTestPattern)
    await page.evaluateOnNewDocument(hearFakeMicrophone)
  }
  await page.evaluateOnNewDocument(trackConnections)
  for (const selector of options.recordFramesOf ?? []) await page.evaluateOnNewDocument(recordFrames, selector)
  await page.goto(url)
  return { page, errors, audioStats: () => page.evaluate(audioStats) }
}
