// A teacher at the end of a bad line: one packet in twenty lost, and twice nothing at all for ten seconds. Flash and
// beep are made from one clock, and every picture carries the wall clock's counter: what the recording says of the
// lesson is held against what was really taught.
import { mkdir } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { RuralLine } from '../support/rural-line'
import { STEP_MS, percentile } from '../support/test-pattern'
import { beepOffsets, decodeErrors, recordedCounters, probeTracks } from '../support/recording'

const LOSSY = 'delay_ms=40,loss_pct=5'
const OUTAGE_MS = 10_000
const TAUGHT_MS = Number(process.env.OUTAGE_STRETCH_SECONDS ?? 30) * 1000
const SCREENS = process.env.SCREENS

interface Gap { from_ms: number, to_ms: number, reason: string }
interface Recording { duration_ms: number, main_playlist: string, tracks: { kind: string, playlist: string, gaps: Gap[] }[] }
interface Lesson { live_at_ms: number, ended_at_ms: number, recording: { recording_id: string } }

let line: RuralLine
let hub: TestHub
let browser: Browser

const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

beforeAll(async () => {
  line = await RuralLine.up()
  hub = await TestHub.start(line.hub)
  browser = await launchChromium(line.classroom)
}, 60_000)

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
  await line?.down()
})

test('a lesson with losses and two outages keeps its time', async () => {
  const origin = `https://${line.hubAddress}:${hub.ports.https}`
  await line.both('delay_ms=40')
  const teacher = await visit(browser, hub.at(hub.sample.sign_in_links.teacher, origin), { testPattern: true, ignoreCertificate: true })
  const { page } = teacher
  await page.waitForURL('**/lessons')
  await page.goto(`${origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await page.waitForSelector('[data-testid="device-check"]')
  await page.click('[data-testid="share-board"]')
  await wait(1000)
  await line.both(LOSSY)
  await page.click('[data-testid="start"]')
  await page.waitForSelector('[data-testid="desk"]')

  // Wall clock, as everything else on this machine.
  const outages: { fromMs: number, toMs: number }[] = []
  for (let outage = 0; outage < 2; outage++) {
    await wait(TAUGHT_MS)
    const fromMs = Date.now()
    await line.both('preset=dead')
    await wait(OUTAGE_MS)
    await line.both(LOSSY)
    outages.push({ fromMs, toMs: Date.now() })
  }
  await wait(TAUGHT_MS)
  await page.locator('[data-testid="end"]').hover()
  await page.mouse.down()
  await page.waitForSelector('[data-testid="ended"]')
  await page.mouse.up()
  await line.both('delay_ms=40')

  const lesson = await page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}`)).json() as Promise<Lesson>, hub.sample.lesson_id)
  const recording = await page.evaluate(async id => (await fetch(`/api/v1/recordings/${id}`)).json() as Promise<Recording>, lesson.recording.recording_id)
  const taughtS = (lesson.ended_at_ms - lesson.live_at_ms) / 1000
  const inLesson = outages.map(outage => ({ fromMs: outage.fromMs - lesson.live_at_ms, toMs: outage.toMs - lesson.live_at_ms }))
  console.log(`row: lost to the hub: ${await hub.metric('tongke_packets_lost_total')} packets (load ${loadavg()[0]?.toFixed(1)})`)

  // How long it is against the hub's clock: by each track's own samples in the file that is given away, and by the
  // segments of the playlist. (Of a playlist's last sample ffprobe guesses the length from the rate of the others.)
  for (const { kind, playlist } of recording.tracks) {
    const file = `/api/v1/recordings/${lesson.recording.recording_id}/download?tracks=${kind}`
    const [track] = await probeTracks(teacher.context, origin, file, line.hub)
    const listedS = await page.evaluate(async address => [...(await (await fetch(address)).text()).matchAll(/#EXTINF:([\d.]+)/g)].reduce((sum, [, seconds]) => sum + Number(seconds), 0), playlist)
    for (const [where, seconds] of [['in the file', track?.seconds ?? Number.NaN], ['in the playlist', listedS]] as const) {
      const offMs = (seconds - taughtS) * 1000
      console.log(`row: ${kind} ${where}: asked the lesson's ${taughtS.toFixed(3)} s within 100 ms, measured ${seconds.toFixed(3)} s (${offMs.toFixed(0)} ms), ${track?.samples} samples of ${track?.codec}`)
      expect.soft(Math.abs(offMs), `${kind} is as long as the lesson ${where}`).toBeLessThanOrEqual(100)
    }
    const heard = await decodeErrors(teacher.context, origin, playlist, line.hub)
    console.log(`row: ${kind}: asked a clean decode, measured ${heard === '' ? 'no complaint' : heard.slice(0, 500)}`)
    expect.soft(heard, `${kind} decodes`).toBe('')
  }

  // What each picture says of the time when it was drawn, against where it stands: a stall that shortened the lesson
  // would show as a jump.
  const first = (lesson.live_at_ms / STEP_MS) % (1 << 24)
  for (const { kind, playlist } of recording.tracks.filter(track => track.kind === 'camera' || track.kind === 'board')) {
    const counters = await recordedCounters(teacher.context, origin, playlist, line.hub)
    const fresh = counters.filter(({ counter }, at) => counter !== counters[at - 1]?.counter)
    const offMs = (at: { atS: number, counter: number }) => at.atS * 1000 - (at.counter - first) * STEP_MS
    const thirds = [0, 1, 2].map(third => fresh.filter(({ atS }) => Math.floor(atS * 3 / taughtS) === third).map(offMs))
    const medians = thirds.map(third => percentile(third, 0.5))
    const spread = Math.max(...medians) - Math.min(...medians)
    console.log(`row: ${kind}: asked the same delay at start, middle and end within 100 ms, measured ${medians.map(median => median.toFixed(0)).join(', ')} ms after it was drawn, of ${fresh.length} pictures`)
    expect.soft(spread, `${kind} keeps the lesson's time`).toBeLessThanOrEqual(100)
  }

  // Voice against picture.
  const beeps = await beepOffsets(teacher.context, origin, recording.main_playlist, line.hub)
  const parts = { start: [0, 1 / 3], middle: [1 / 3, 2 / 3], end: [2 / 3, 1.01] } as const
  for (const [part, [from, until]] of Object.entries(parts)) {
    const late = beeps.filter(({ atS }) => atS >= from * taughtS && atS < until * taughtS).map(({ lateS }) => lateS * 1000)
    console.log(`row: beep after flash, ${part}: asked within 60 ms, measured ${percentile(late, 0.5).toFixed(0)} ms (${Math.min(...late).toFixed(0)} to ${Math.max(...late).toFixed(0)}) of ${late.length}`)
    expect.soft(late.length, `${part} has beeps`).toBeGreaterThan(3)
    expect.soft(Math.abs(percentile(late, 0.5)), `voice against picture at the ${part}`).toBeLessThanOrEqual(60)
  }

  // Both outages have their names, in every track.
  for (const { kind, gaps } of recording.tracks) {
    for (const [at, outage] of inLesson.entries()) {
      const gap = gaps.find(gap => gap.from_ms < outage.toMs && gap.to_ms > outage.fromMs)
      console.log(`row: ${kind}, outage ${at + 1}: asked ${((outage.toMs - outage.fromMs) / 1000).toFixed(2)} s from ${(outage.fromMs / 1000).toFixed(2)} s, measured ${gap === undefined ? 'no gap' : `${((gap.to_ms - gap.from_ms) / 1000).toFixed(2)} s from ${(gap.from_ms / 1000).toFixed(2)} s (${gap.reason})`}`)
      expect.soft(gap, `${kind}: outage ${at + 1} is a named gap`).toBeDefined()
      if (gap === undefined) continue
      // It begins with the last thing that came through, and ends when the page has found its way back.
      expect.soft(Math.abs(gap.from_ms - outage.fromMs), `${kind}: outage ${at + 1} begins`).toBeLessThan(500)
      expect.soft(gap.to_ms - outage.toMs, `${kind}: outage ${at + 1} ends`).toBeGreaterThan(-500)
      expect.soft(gap.to_ms - outage.toMs, `${kind}: back after outage ${at + 1}`).toBeLessThan(10_000)
    }
  }

  // The page tells them in words.
  await page.goto(`${origin}/replay/${lesson.recording.recording_id}?t=${Math.round((inLesson[0]?.fromMs ?? 0) / 1000) + 5}`)
  await page.waitForSelector('[data-testid="replay"]')
  await page.waitForSelector('[data-testid="gap-now"]')
  console.log(`the page says: ${await page.textContent('[data-testid="gap-now"]')}`)
  if (SCREENS !== undefined) {
    await mkdir(SCREENS, { recursive: true })
    await page.screenshot({ path: join(SCREENS, 'replay-gaps.png') })
  }
  expect.soft(teacher.errors).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
}, 400_000)
