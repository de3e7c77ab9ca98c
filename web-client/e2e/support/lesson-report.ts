// The hub's report of a lesson, and a browser with tabs, in which a page can be hidden.
import type { Page } from 'playwright-core'
import { type Page as TabPage, launch } from 'puppeteer-core'
import { callApi } from './api'
import { recordFrames } from './test-pattern'

export interface ParticipantReport {
  classroom_id: string | null
  name: string
  state: string
  judged: { verdict: string, rule: string, rule_version: number, held_ms: number | null, needed_ms: number }
  came_at_ms: number | null
  left_at_ms: number | null
  present_ms: number
  came_after_ms: number
  left_before_ms: number
  interruptions: { from_ms: number, until_ms: number, cause: string }[]
  heads: { pupils: number } | null
}

export interface LessonReport {
  began_at_ms: number
  ended_at_ms: number
  worked_out_at_ms: number | null
  broadcast: ParticipantReport
  classrooms: ParticipantReport[]
}

export interface Series {
  classroom_id: string | null
  at_ms: number[]
  span_ms: number[]
  shown_ms: number[]
  loss: (number | null)[]
  hub_loss: (number | null)[]
  rtt_ms: (number | null)[]
  jitter_ms: (number | null)[]
  mos: (number | null)[]
  concealed: (number | null)[]
  fps: (number | null)[]
  height: (number | null)[]
  freezes: (number | null)[]
  frozen_ms: (number | null)[]
  layer: (number | null)[]
}

/** Waits until the report is worked out, a few seconds after the lesson's end. */
export async function finishedReport(page: Page, lessonId: string): Promise<LessonReport> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const report = await callApi<LessonReport>(page, 'GET', `lessons/${lessonId}/report`)
    if (report.worked_out_at_ms !== null) return report
    if (Date.now() > deadline) throw new Error('the report is not worked out')
    await new Promise(resolve => setTimeout(resolve, 250))
  }
}

export const qualitySeries = async (page: Page, lessonId: string): Promise<Series[]> =>
  (await callApi<{ ends: Series[] }>(page, 'GET', `lessons/${lessonId}/quality`)).ends

// A Chromium with tabs: Playwright keeps each of its pages visible, also behind another tab, so puppeteer drives this one.
export interface BrowserTab {
  page: TabPage
  errors: string[]
  /** Brings another tab to the front. Returns the function that brings the page back. */
  hide: () => Promise<() => Promise<void>>
  close: () => Promise<void>
}

export async function visitInTab(url: string, recordFramesOf: string[] = []): Promise<BrowserTab> {
  const browser = await launch({
    executablePath: '/usr/bin/chromium',
    headless: true,
    defaultViewport: { width: 1280, height: 720 },
    ignoreDefaultArgs: ['--mute-audio'],
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage', '--lang=zh-CN'],
  })
  const page = await browser.newPage()
  const errors: string[] = []
  page.on('pageerror', error => errors.push(error instanceof Error ? error.message : String(error)))
  for (const selector of recordFramesOf) await page.evaluateOnNewDocument(recordFrames, selector)
  await page.goto(url)
  const becomes = (state: string) => page.waitForFunction((wanted: string) => document.visibilityState === wanted, { timeout: 5_000, polling: 50 }, state)
  return {
    page,
    errors,
    hide: async () => {
      const cover = await browser.newPage()
      await cover.bringToFront()
      await becomes('hidden')
      return async () => {
        await page.bringToFront()
        await becomes('visible')
        await cover.close()
      }
    },
    close: () => browser.close(),
  }
}
