// Quality against truth: what the line was set to, what Chromium counts by itself, and what the hub keeps, side by side.
//
// Hub and teacher are in one network namespace, the classroom in another, tongke-line between them.
import { loadavg } from 'node:os'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Visitor, launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { RuralLine } from '../support/rural-line'
import { type StatsSample, statsSamples, pollReceiveStats } from '../support/receive-stats'
import { type Series, qualitySeries } from '../support/lesson-report'
import { byTestId } from '../support/selectors'

const MEASURED_MS = Number(process.env.LINE_SECONDS ?? 30) * 1000
const SETTLE_MS = 6_000
const RTT_MS = 80

let line: RuralLine
let hub: TestHub
let browsers: Browser[]
let teacher: Visitor
let room: Visitor

const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

beforeAll(async () => {
  line = await RuralLine.up()
  await line.both(`delay_ms=${RTT_MS / 2}`)
  hub = await TestHub.start(line.hub)
  browsers = [await launchChromium(line.hub), await launchChromium(line.classroom)]
  const [here, there] = browsers
  if (here === undefined || there === undefined) throw new Error('no browsers')
  teacher = await visit(here, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector(byTestId('device-check'))
  await teacher.page.click(byTestId('start'))
  await teacher.page.waitForSelector(byTestId('desk'))
  const link = hub.at(hub.sample.sign_in_links.classrooms[0] ?? '', `http://${line.hubAddress}:${hub.ports.http}`)
  room = await visit(there, link, { width: 960, height: 540, devices: false })
  await room.page.waitForSelector('[data-testid="wall"][data-state="live"]')
  await room.page.keyboard.press('Enter')
  await room.page.evaluate(pollReceiveStats, 200)
}, 120_000)

afterAll(async () => {
  for (const browser of browsers ?? []) await browser.close()
  await hub?.stop()
  await line?.down()
})

/** By the time that each window covers, so that short ones weigh little. */
function mean(series: Series, column: (number | null)[], from: number, until: number): number {
  let [sum, time] = [0, 0]
  series.at_ms.forEach((at, n) => {
    const [value, span] = [column[n], series.span_ms[n] ?? 0]
    if (value == null || at < from || at + span > until) return
    sum += value * span
    time += span
  })
  return time === 0 ? Number.NaN : sum / time
}

function total(series: Series, column: (number | null)[], from: number, until: number): number {
  return series.at_ms.reduce((sum, at, n) => at < from || at + (series.span_ms[n] ?? 0) > until ? sum : sum + (column[n] ?? 0), 0)
}

const percent = (share: number) => `${(share * 100).toFixed(2)} %`

test.each([0, 5, 10, 20])('loss of %d in a hundred', async (lossPct) => {
  await line.both(`delay_ms=${RTT_MS / 2}${lossPct > 0 ? `,loss_pct=${lossPct}` : ''}`)
  await wait(SETTLE_MS)
  const began = Date.now()
  await wait(MEASURED_MS + 6_000)
  const series = (await qualitySeries(teacher.page, hub.sample.lesson_id)).find(one => one.classroom_id !== null)
  if (series === undefined) throw new Error('the hub keeps nothing of this classroom')
  // Whole windows alone, and Chromium's own counts over just those.
  const within = series.at_ms.map((at, n) => ({ at, until: at + (series.span_ms[n] ?? 0) })).filter(one => one.at >= began)
  const [from, until] = [within[0]?.at ?? 0, within.at(-1)?.until ?? 0]
  const stats = (await room.page.evaluate(statsSamples)).filter(sample => sample.at >= from && sample.at <= until)
  const [first, last] = [stats[0], stats.at(-1)] as [StatsSample, StatsSample]
  const voiceLoss = (last.voiceLost - first.voiceLost) / (last.voicePackets - first.voicePackets + last.voiceLost - first.voiceLost)
  const ownConcealed = (last.concealed - first.concealed) / (last.samples - first.samples)
  const ownFrozenMs = (last.frozen - first.frozen) * 1000
  const kept = {
    loss: mean(series, series.loss, from, until),
    hubLoss: mean(series, series.hub_loss, from, until),
    rttMs: mean(series, series.rtt_ms, from, until),
    concealed: mean(series, series.concealed, from, until),
    frozenMs: total(series, series.frozen_ms, from, until),
    freezes: total(series, series.freezes, from, until),
    mos: mean(series, series.mos, from, until),
    fps: mean(series, series.fps, from, until),
  }
  const ownFps = (last.frames - first.frames) / (last.at - first.at) * 1000
  console.log(`row: line ${lossPct} % loss each way, ${RTT_MS} ms (load ${loadavg()[0]?.toFixed(1)}), ${((until - from) / 1000).toFixed(0)} s, ${within.length} windows`)
  console.log(`  loss:      set ${percent(lossPct / 100)}, hub by the receiver's feedback ${percent(kept.hubLoss)}, page's report ${percent(kept.loss)}, Chromium's voice before repair ${percent(voiceLoss)}`)
  console.log(`  round trip: set ${RTT_MS} ms, kept ${kept.rttMs.toFixed(0)} ms`)
  console.log(`  concealed: kept ${percent(kept.concealed)}, Chromium ${percent(ownConcealed)}`)
  console.log(`  freezes:   kept ${kept.freezes} of ${kept.frozenMs} ms, Chromium ${ownFrozenMs.toFixed(0)} ms`)
  console.log(`  pictures:  kept ${kept.fps.toFixed(1)} a second drawn, Chromium ${ownFps.toFixed(1)} decoded; voice score ${kept.mos.toFixed(2)}`)
  expect.soft(Math.abs(kept.rttMs - RTT_MS)).toBeLessThan(40)
  expect.soft(Math.abs(kept.concealed - ownConcealed)).toBeLessThan(0.02)
  expect.soft(Math.abs(kept.frozenMs - ownFrozenMs)).toBeLessThan(Math.max(1_500, ownFrozenMs * 0.5))
  // Some thousand packets: chance alone is worth a few in a hundred of what is lost.
  expect.soft(Math.abs(kept.hubLoss - lossPct / 100)).toBeLessThan(0.015 + lossPct / 100 * 0.15)
  expect.soft(Math.abs(kept.loss - lossPct / 100)).toBeLessThan(0.015 + lossPct / 100 * 0.15)
  expect.soft(kept.mos).toBeGreaterThan(1)
}, 120_000)

test('an outage of ten seconds is a hole in attendance, and named', async () => {
  await line.both(`delay_ms=${RTT_MS / 2}`)
  await wait(8_000)
  const cutMs = Date.now()
  await line.both('loss_pct=100')
  await wait(10_000)
  await line.both(`delay_ms=${RTT_MS / 2}`)
  const backMs = Date.now()
  await wait(12_000)
  const report = await teacher.page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}/report`)).json() as Promise<{ classrooms: { present_ms: number, interruptions: { from_ms: number, until_ms: number, cause: string }[] }[] }>, hub.sample.lesson_id)
  const holes = report.classrooms.flatMap(end => end.interruptions).filter(hole => hole.until_ms > cutMs)
  for (const hole of holes) console.log(`row: outage of ${backMs - cutMs} ms: kept ${hole.until_ms - hole.from_ms} ms, ${hole.from_ms - cutMs} ms after it began, ${hole.cause}`)
  expect.soft(holes.length).toBeGreaterThan(0)
  expect.soft(hub.errorLines()).toEqual([])
}, 60_000)
