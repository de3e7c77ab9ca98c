// Attendance: a class whose page is hidden for a while, one that comes late and leaves early, and one that never comes. The
// hub's report is compared with the test's own clock.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callApi } from '../support/api'
import { launchChromium, visit } from '../support/chromium'
import { TestHub, binary } from '../support/hub'
import { CAMERA, byTestId } from '../support/selectors'
import { openDeviceCheck, startLesson } from '../support/teaching'
import { shownFrames } from '../support/test-pattern'
import { type ParticipantReport, type BrowserTab, qualitySeries, visitInTab, finishedReport } from '../support/lesson-report'

const run = promisify(execFile)
const LIVE = '[data-testid="wall"][data-state="live"]'
/** Asked: the time behind a hidden page is counted to this precision. */
const HIDDEN_WITHIN_MS = 5_000
/** Late and early are reported to the second; a page checks once a second whether its picture moves. */
const SECOND_MS = 1_500

let hub: TestHub
let browser: Browser
let whole: BrowserTab

beforeAll(async () => {
  hub = await TestHub.start()
  browser = await launchChromium()
})

afterAll(async () => {
  await whole?.close()
  await browser?.close()
  await hub?.stop()
})

const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

test('a hidden page, a late class and an absent one are counted for what they were', async () => {
  const [first, second] = hub.sample.sign_in_links.classrooms
  if (first === undefined || second === undefined) throw new Error('the sample has no classrooms')
  const teacher = await openDeviceCheck(browser, hub)
  // The first class sits and waits; its sound is on before the lesson begins.
  whole = await visitInTab(hub.at(first), [CAMERA])
  await whole.page.waitForSelector('[data-testid="wall"]')
  await whole.page.keyboard.press('Enter')
  await startLesson(teacher, { board: false })
  await whole.page.waitForSelector(LIVE)
  await whole.page.keyboard.press('Enter')
  await whole.page.waitForFunction((where: string) => (document.querySelector<HTMLVideoElement>(where)?.videoWidth ?? 0) > 0, {}, CAMERA)
  await wait(10_000)

  // 人数, by the arrows and digits of a remote control.
  // The bar comes back with any movement.
  await whole.page.mouse.move(200, 200)
  await whole.page.mouse.move(210, 210)
  await whole.page.waitForSelector(byTestId('heads'), { visible: true })
  await whole.page.focus(byTestId('heads'))
  await whole.page.keyboard.press('Enter')
  await whole.page.waitForSelector(byTestId('heads-count'))
  for (const key of ['2', '3', 'ArrowUp'] as const) await whole.page.keyboard.press(key)
  await whole.page.keyboard.press('Enter')
  await whole.page.waitForSelector(byTestId('heads-count'), { hidden: true })

  const show = await whole.hide()
  const hiddenMs = Date.now()
  expect(await whole.page.evaluate(() => document.visibilityState)).toBe('hidden')
  await wait(3_000)

  // The second class comes while the first is hidden.
  const part = await visit(browser, hub.at(second), { recordFramesOf: [CAMERA], devices: false })
  await part.page.waitForSelector(LIVE)
  await part.page.keyboard.press('Enter')
  await expect.poll(async () => (await part.page.evaluate(shownFrames, CAMERA)).length, { interval: 100, timeout: 15_000 }).toBeGreaterThan(0)
  const soundOnMs = Date.now()
  const firstFrameMs = (await part.page.evaluate(shownFrames, CAMERA))[0]?.[0] ?? Number.NaN
  const cameMs = Math.max(firstFrameMs, soundOnMs - 1_000)
  await wait(22_000)
  await show()
  const shownMs = Date.now()
  await wait(5_000)
  const leftMs = Date.now()
  await part.context.close()
  await wait(8_000)

  await callApi(teacher.page, 'POST', `lessons/${hub.sample.lesson_id}/end`, {})
  await whole.page.waitForSelector('[data-testid="wall"][data-state="over"]')
  const report = await finishedReport(teacher.page, hub.sample.lesson_id)
  const heldMs = report.ended_at_ms - report.began_at_ms
  const named = (end: ParticipantReport | undefined): ParticipantReport => {
    if (end === undefined) throw new Error('an end is missing in the report')
    return end
  }
  const counted = named(report.classrooms.find(end => end.heads !== null))
  const late = named(report.classrooms.find(end => end !== counted && end.present_ms > 0))
  const absent = named(report.classrooms.find(end => end.present_ms === 0))

  const visibleMs = heldMs - (shownMs - hiddenMs)
  console.log(`row: hidden for ${shownMs - hiddenMs} ms of a lesson of ${heldMs} ms: asked ${visibleMs} +- ${HIDDEN_WITHIN_MS} ms, measured ${counted.present_ms} ms (off by ${counted.present_ms - visibleMs} ms)`)
  for (const hole of counted.interruptions) console.log(`  not there for ${hole.until_ms - hole.from_ms} ms from ${hole.from_ms - report.began_at_ms} ms on: ${hole.cause}`)
  expect.soft(Math.abs(counted.present_ms - visibleMs)).toBeLessThan(HIDDEN_WITHIN_MS)
  const hole = counted.interruptions.find(one => one.cause === 'hidden')
  expect.soft(Math.abs((hole?.from_ms ?? Number.NaN) - hiddenMs)).toBeLessThan(SECOND_MS)
  expect.soft(Math.abs((hole?.until_ms ?? Number.NaN) - shownMs)).toBeLessThan(2 * SECOND_MS)
  expect.soft(counted.heads?.pupils).toBe(24)
  expect.soft(counted.left_before_ms).toBeLessThan(SECOND_MS)

  console.log(`row: a class that comes late: asked ${cameMs - report.began_at_ms} +- ${SECOND_MS} ms, measured ${late.came_after_ms} ms (off by ${(late.came_at_ms ?? Number.NaN) - cameMs} ms)`)
  console.log(`row: and leaves early: asked ${report.ended_at_ms - leftMs} +- ${SECOND_MS} ms, measured ${late.left_before_ms} ms (off by ${(late.left_at_ms ?? Number.NaN) - leftMs} ms)`)
  expect.soft(Math.abs((late.came_at_ms ?? Number.NaN) - cameMs)).toBeLessThan(SECOND_MS)
  expect.soft(Math.abs((late.left_at_ms ?? Number.NaN) - leftMs)).toBeLessThan(SECOND_MS)

  console.log(`row: the class that never came: ${absent.name}, ${absent.state}, ${absent.judged.verdict}`)
  expect.soft([absent.state, absent.judged.verdict]).toEqual(['absent', 'missed'])
  // A lesson of an hour and more that was held for a minute counts nowhere.
  expect.soft([report.broadcast, counted, late].map(end => end.judged.verdict)).toEqual(['short', 'short', 'short'])
  expect.soft(counted.judged.rule_version).toBe(1)

  const series = (await qualitySeries(teacher.page, hub.sample.lesson_id)).find(one => one.classroom_id === counted.classroom_id)
  const windows = series?.span_ms ?? []
  console.log(`${windows.length} windows of the first class, the longest ${Math.max(...windows)} ms, voice score ${JSON.stringify(series?.mos.filter(mos => mos !== null).slice(-3))}`)
  expect.soft(Math.max(...windows)).toBeLessThan(8_000)
  expect.soft(series?.mos.some(mos => mos !== null && mos > 3)).toBe(true)

  // The absentee is in the list, for the bureau's officer.
  const officer = await visit(browser, hub.at(hub.sample.sign_in_links.bureau_officer))
  await officer.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  await officer.page.goto(`${hub.origin}/reports`)
  await officer.page.waitForSelector(byTestId(`report-${hub.sample.lesson_id}`))
  expect.soft(await officer.page.locator(byTestId('reports')).textContent()).toContain(absent.name)
  await officer.page.click(byTestId(`report-${hub.sample.lesson_id}`))
  await officer.page.waitForSelector(byTestId('attendance'))
  expect.soft(await officer.page.locator(byTestId('absent')).textContent()).toContain(absent.name)
  await officer.page.locator(byTestId('formula')).first().locator('summary').click()
  expect.soft(await officer.page.locator(byTestId('formula')).first().textContent()).toContain('在课时长')
  await officer.page.waitForSelector(`${byTestId('quality-chart')} svg`)

  // Nothing was edited; and an edited row is named.
  const verify = () => run(binary, ['verify', 'attendance', '--data', hub.data, '--lesson', hub.sample.lesson_id])
  console.log((await verify()).stdout.trim())
  const edit = `import sqlite3; db = sqlite3.connect('${hub.data}/tongke.sqlite', timeout=10); db.execute("update attendance set present_ms = present_ms + 60000 where end_name = '${late.classroom_id}'"); db.commit()`
  await run('python3', ['-c', edit])
  const refused = await verify().then(() => '', (error: { stderr: string }) => error.stderr)
  console.log(refused.trim())
  expect.soft(refused).toContain(`${late.classroom_id}, was changed`)

  expect([...teacher.errors, ...whole.errors, ...part.errors, ...officer.errors]).toEqual([])
  expect(hub.errorLines()).toEqual([])
}, 240_000)
