// One encoding with layers inside, from a real Chromium: whole on a good line, thinned out on a bad one, whole again.
//
// Hub and teacher are in one network namespace, the classroom in another, tongke-line between them.
import { loadavg } from 'node:os'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Visitor, launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { RuralLine } from '../support/rural-line'
import { CAMERA } from '../support/selectors'
import { shownFrames } from '../support/test-pattern'
import { type StatsSample, concealedShare, freezeShare, statsSamples, pollReceiveStats } from '../support/receive-stats'

const DISTANCE = 'delay_ms=40'
const STRETCH_MS = Number(process.env.LINE_SECONDS ?? 15) * 1000
const SETTLE_MS = 6000

let line: RuralLine
let hub: TestHub
let browsers: Browser[]
let teacher: Visitor | undefined
let room: Visitor

const wait = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
const percent = (share: number) => `${(share * 100).toFixed(1)} %`

beforeAll(async () => {
  line = await RuralLine.up()
  browsers = [await launchChromium(line.hub), await launchChromium(line.classroom)]
}, 120_000)

afterEach(async () => {
  await teacher?.context.close()
  await room?.context.close()
  await hub?.stop()
})

afterAll(async () => {
  for (const browser of browsers ?? []) await browser.close()
  await line?.down()
})

interface Row { codec: string, layers: string, kbps: number }

const rows: Row[] = [
  { codec: 'h264', layers: 'L1T3', kbps: 250 },
  { codec: 'vp8', layers: 'L1T3', kbps: 250 },
  { codec: 'vp9', layers: 'L1T3', kbps: 250 },
  { codec: 'vp9', layers: 'L3T3_KEY', kbps: 220 },
  { codec: 'vp9', layers: 'L3T3', kbps: 220 },
  { codec: 'av1', layers: 'L1T3', kbps: 250 },
  { codec: 'av1', layers: 'L3T3', kbps: 220 },
]

async function begin({ codec, layers }: Row): Promise<void> {
  const [here, there] = browsers
  if (here === undefined || there === undefined) throw new Error('no browsers')
  hub = await TestHub.start(line.hub)
  teacher = await visit(here, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p&codec=${codec}&layers=${layers}`)
  await teacher.page.waitForSelector('[data-testid="device-check"]')
  await teacher.page.click('[data-testid="start"]')
  await teacher.page.waitForSelector('[data-testid="desk"]')
  const link = hub.at(hub.sample.sign_in_links.classrooms[0] ?? '', `http://${line.hubAddress}:${hub.ports.http}`)
  room = await visit(there, link, { width: 960, height: 540, recordFramesOf: [CAMERA], devices: false })
  await room.page.waitForSelector('[data-testid="wall"][data-state="live"]')
  await room.page.keyboard.press('Enter')
  await room.page.evaluate(pollReceiveStats, 50)
}

interface Stretch { stats: StatsSample[], height: number, rate: number, freeze: number, kbps: number, asked: number }

async function stretch(ms: number): Promise<Stretch> {
  const from = Date.now()
  await wait(ms)
  const until = Date.now()
  const stats = (await room.page.evaluate(statsSamples)).filter(sample => sample.at >= from && sample.at <= until)
  const frames = await room.page.evaluate(shownFrames, CAMERA)
  const [first, last] = [stats[0], stats.at(-1)]
  return {
    stats,
    height: last?.height ?? 0,
    rate: frames.filter(([at]) => at >= from && at <= until).length * 1000 / ms,
    freeze: freezeShare(frames, from, until),
    kbps: ((last?.bytes ?? 0) - (first?.bytes ?? 0)) * 8 / ms,
    asked: (last?.keyframesAsked ?? 0) - (first?.keyframesAsked ?? 0),
  }
}

test.each(rows)('$codec $layers', async (row) => {
  await line.both(DISTANCE)
  await line.downwards(`${DISTANCE},rate_kbps=4000`)
  await begin(row)
  await wait(SETTLE_MS)
  const whole = await stretch(STRETCH_MS / 2)
  await line.downwards(`${DISTANCE},rate_kbps=${row.kbps}`)
  await wait(SETTLE_MS)
  const thin = await stretch(STRETCH_MS)
  await line.downwards(`${DISTANCE},rate_kbps=4000`)
  await wait(STRETCH_MS)
  const again = await stretch(STRETCH_MS / 2)
  const told = (it: Stretch) => `${it.height}p at ${it.rate.toFixed(1)}/s, ${it.kbps.toFixed(0)} kbit/s, freeze ${percent(it.freeze)}`
  console.log(`row: ${row.codec} ${row.layers}, 4 Mbit/s to ${row.kbps} kbit/s and back: asked freeze < 10 % throughout, voice concealed < 1 %, whole again after 15 s; `
    + `measured ${told(whole)}; thin ${told(thin)}, voice concealed ${percent(concealedShare(thin.stats))}, ${thin.asked} keyframes asked; again ${told(again)} (load ${loadavg()[0]?.toFixed(1)})`)
  expect.soft(whole.height).toBe(360)
  expect.soft(whole.freeze).toBeLessThan(0.1)
  expect.soft(thin.freeze).toBeLessThan(0.1)
  expect.soft(thin.rate).toBeGreaterThan(4)
  expect.soft(concealedShare(thin.stats)).toBeLessThan(0.01)
  expect.soft(again.height).toBe(360)
  expect.soft(again.rate).toBeGreaterThan(whole.rate * 0.8)
  expect.soft(room.errors).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
}, 180_000)
