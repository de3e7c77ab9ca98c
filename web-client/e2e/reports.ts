// What the hub says a lesson came to, read as a test needs it; and how a page is really hidden.
import type { Page } from 'playwright-core'
import { ask } from './ask'

export interface EndReport {
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
  broadcast: EndReport
  classrooms: EndReport[]
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

/** The report once it is worked out: a few seconds after the end. */
export async function workedOut(page: Page, lessonId: string): Promise<LessonReport> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const report = await ask<LessonReport>(page, 'GET', `lessons/${lessonId}/report`)
    if (report.worked_out_at_ms !== null) return report
    if (Date.now() > deadline) throw new Error('the report is not worked out')
    await new Promise(resolve => setTimeout(resolve, 250))
  }
}

export const qualityOf = async (page: Page, lessonId: string): Promise<Series[]> =>
  (await ask<{ ends: Series[] }>(page, 'GET', `lessons/${lessonId}/quality`)).ends

// Another tab of the same window comes to the front. The driver pretends that every page has the focus; that is ended
// first. Answers what brings the page back.
export async function hide(page: Page): Promise<() => Promise<void>> {
  const session = await page.context().newCDPSession(page)
  await session.send('Emulation.setFocusEmulationEnabled', { enabled: false })
  const other = await page.context().newPage()
  const cover = await page.context().newCDPSession(other)
  await cover.send('Emulation.setFocusEmulationEnabled', { enabled: false })
  await other.bringToFront()
  await page.waitForFunction(() => document.visibilityState === 'hidden', undefined, { timeout: 5_000, polling: 50 })
  return async () => {
    await other.close()
    await page.bringToFront()
    await page.waitForFunction(() => document.visibilityState === 'visible', undefined, { timeout: 5_000, polling: 50 })
  }
}
