// A school day with one period that begins at the next minutes, whatever day and hour a test is run at.
import type { Page } from 'playwright-core'
import { callApi } from './api'

const MINUTE_MS = 60_000
const ZONE_MS = 8 * 60 * MINUTE_MS
/** Periods begin at whole minutes: the bell rings 25 to 85 s from now. To click and to open the pages takes about ten of them. */
const AHEAD_MS = 25_000
const LESSON_MIN = 30

interface Days { first_day: string, last_day: string }

export async function scheduleBell(page: Page, schoolId: string, bureauId: string): Promise<{ day: string, startsAtMs: number }> {
  const startsAtMs = Math.ceil((Date.now() + AHEAD_MS) / MINUTE_MS) * MINUTE_MS
  const local = new Date(startsAtMs + ZONE_MS)
  const day = local.toISOString().slice(0, 10)
  const minute = local.getUTCHours() * 60 + local.getUTCMinutes()
  if (minute + LESSON_MIN > 1440) throw new Error('NOT RUN: a lesson does not go over midnight')
  const within = (one: Days) => one.first_day <= day && day <= one.last_day
  const { items: terms } = await callApi<{ items: Days[] }>(page, 'GET', 'terms')
  if (!terms.some(within)) {
    const span = { first_day: day, last_day: day }
    const year = await callApi<{ school_year_id: string }>(page, 'POST', 'school-years', { organisation_id: bureauId, name: '铃声学年', ...span })
    await callApi(page, 'POST', 'terms', { school_year_id: year.school_year_id, name: '铃声学期', ...span })
  }
  const { items: days } = await callApi<{ items: { organisation_id: string }[] }>(page, 'GET', `holidays?from=${day}&until=${day}`)
  for (const special of days) await callApi(page, 'DELETE', `holidays?organisation_id=${special.organisation_id}&date=${day}`)
  await callApi(page, 'POST', 'bell-schedules', {
    organisation_id: schoolId, stage: 'primary', name: '今天的铃', from_day: day.slice(5), until_day: day.slice(5),
    periods: [{ period: 'lesson-1', starts_min: minute, ends_min: minute + LESSON_MIN }],
  })
  return { day, startsAtMs }
}
