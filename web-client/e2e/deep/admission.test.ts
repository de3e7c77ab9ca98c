// A hub at its limit: who comes too late is told so at once, with a time to come back; who is in notices nothing.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Visitor, launchChromium, visit } from '../support/chromium'
import { TestHub } from '../support/hub'
import { CAMERA } from '../support/selectors'
import { shownFrames, longestFreeze } from '../support/test-pattern'

const KNOCKS = 100

let hub: TestHub
let browser: Browser

beforeAll(async () => {
  // The teacher's camera, and one classroom.
  hub = await TestHub.start(undefined, ['--max-seats', '2'])
  browser = await launchChromium()
})

afterAll(async () => {
  await browser?.close()
  await hub?.stop()
})

interface Refusal { status: number, type: string | null, retryAfter: string | null, body: { type?: string, title?: string, detail?: string, status?: number }, tookMs: number }

// Runs in a page: offers to receive, as any WHEP client does.
async function knock([url, token]: [string, string]): Promise<Refusal> {
  const connection = new RTCPeerConnection()
  connection.addTransceiver('audio', { direction: 'recvonly' })
  connection.addTransceiver('video', { direction: 'recvonly' })
  const offer = await connection.createOffer()
  connection.close()
  const begin = performance.now()
  const answer = await fetch(url, {
    method: 'POST', body: offer.sdp ?? '', headers: { 'content-type': 'application/sdp', 'authorization': `Bearer ${token}` },
  })
  const body = await answer.text()
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    retryAfter: answer.headers.get('retry-after'),
    body: answer.status === 201 ? {} : JSON.parse(body) as Refusal['body'],
    tookMs: performance.now() - begin,
  }
}

async function picture(room: Visitor): Promise<void> {
  await room.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.videoWidth ?? 0) > 0, CAMERA)
}

test('a full hub refuses with a reason and a time, and the lesson that runs notices nothing', async () => {
  const [first = '', second = ''] = hub.sample.sign_in_links.classrooms
  const teacher = await visit(browser, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  await teacher.page.waitForURL('**/lessons')
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.waitForSelector('[data-testid="device-check"]')
  await teacher.page.click('[data-testid="start"]')
  await teacher.page.waitForSelector('[data-testid="desk"]')
  await teacher.page.waitForSelector('[data-testid="sending"][data-state="up"]')
  const room = await visit(browser, hub.at(first), { recordFramesOf: [CAMERA] })
  await picture(room)
  await room.page.keyboard.press('Enter')

  // A classroom's own page, and somebody who knocks without end.
  const late = await visit(browser, hub.at(second))
  await late.page.waitForSelector('[data-testid="wall"]')
  const from = Date.now()
  const before = await room.audioStats()
  const url = hub.at(hub.sample.whep_url)
  const token = hub.sample.receive_tokens[1] ?? hub.sample.viewer_token
  const refusals: Refusal[] = []
  for (let count = 0; count < KNOCKS; count++) {
    refusals.push(await late.page.evaluate(knock, [url, token] as [string, string]))
    await late.page.waitForTimeout(50)
  }
  const after = await room.audioStats()
  const frames = (await room.page.evaluate(shownFrames, CAMERA)).filter(([at]) => at >= from)
  const slowest = Math.max(...refusals.map(refusal => refusal.tookMs))
  const concealed = (after.concealed - before.concealed) / (after.samples - before.samples)
  console.log(`row: a full hub: asked refused at once with a reason and a time to retry, the lesson unaffected, measured ${refusals.filter(refusal => refusal.status === 503).length} of ${KNOCKS} refused with 503, Retry-After ${refusals[0]?.retryAfter} s, "${refusals[0]?.body.detail}", slowest ${slowest.toFixed(0)} ms; beside them ${frames.length} pictures, longest standstill ${longestFreeze(frames).toFixed(0)} ms, voice concealed ${(concealed * 100).toFixed(2)} %`)
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({ status: 503, type: 'application/problem+json', retryAfter: '30' })
  }
  // A program that knocks reads English; the page says it in its reader's language.
  expect(refusals[0]?.body).toMatchObject({ type: '/problems/hub-full', status: 503, detail: expect.stringMatching(/^[\x20-\x7e]+$/) as string })
  expect.soft(slowest).toBeLessThan(1000)
  expect.soft(longestFreeze(frames)).toBeLessThan(500)
  expect.soft(concealed).toBeLessThan(0.01)
  expect.soft(await late.page.getAttribute('[data-testid="wall"]', 'data-state')).not.toBe('live')

  // A seat that is given up is the next one's, whose page has kept asking by itself.
  await room.context.close()
  await late.page.waitForSelector('[data-testid="wall"][data-state="live"]', { timeout: 45_000 })
  expect.soft(await hub.metric('tongke_panics_total')).toBe(0)
  expect.soft([...teacher.errors, ...late.errors]).toEqual([])
  expect.soft(hub.errorLines()).toEqual([])
})
