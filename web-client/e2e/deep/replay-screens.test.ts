// Pictures of the replay in all its states, to be looked at. SCREENS names the folder they go to.
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { visit } from '../support/chromium'
import type { TestHub } from '../support/hub'
import { LARGE, LONG_CLASS as LONG, LONG_PERSON, PHONE, SMALL, inDark, screens } from '../support/screenshots'
import { VOICE } from '../support/selectors'

// The lesson of the screens is this long, in seconds.
const TAUGHT_S = 45

const shots = screens()
const { shoot } = shots

interface Answer { state: string, lesson: { title: string, teacher: { name: string } }, tracks: { kind: string, gaps: { from_ms: number, to_ms: number, reason: string }[] }[] }

// What stands beside a lesson of a term's middle: pages turned, remarks, and how four ends saw it.
async function furnish(page: Page, hub: TestHub): Promise<void> {
  const chapters = [[0, 'board', ''], [9_000, 'board', '时间的问法'], [17_000, 'mark', '例题：half past nine'], [24_000, 'stage', LONG], [33_000, 'board', '']]
    .map(([at_ms, kind, title]) => ({ at_ms, kind, title, mark_id: null, version: null }))
  const comments = [{ at_ms: 12_500, text: '这里停顿得好，远端的孩子跟上了。', author: { name: '李督导' } }, { at_ms: 30_000, text: '提问可以再多给一个教学点。', author: { name: '王老师' } }]
  await page.route('**/api/v1/recordings/*/chapters', route => route.fulfill({ json: { items: chapters } }))
  await page.route('**/api/v1/recordings/*/comments', route => route.fulfill({ json: { items: comments } }))
  await page.route('**/api/v1/lessons/*/quality', async route => {
    const id = new URL(route.request().url()).pathname.split('/').at(-2) ?? ''
    const { live_at_ms } = await (await page.request.get(`${hub.origin}/api/v1/lessons/${id}`)).json() as { live_at_ms: number }
    const windows = Array.from({ length: 9 }, (_, at) => at)
    const ends = ['张老师', LONG, '大河教学点', '石门教学点'].map((name, end) => ({
      name,
      at_ms: windows.map(at => live_at_ms + at * 5_000),
      span_ms: windows.map(() => 5_000),
      shown_ms: windows.map(at => (end === 3 && at < 3 ? 0 : 5_000)),
      loss: windows.map(at => (end === 1 ? at * 0.02 : 0.004)),
      freezes: windows.map(at => (end === 2 && at === 5 ? 2 : 0)),
      frozen_ms: windows.map(at => (end === 2 && at === 5 ? 1_400 : 0)),
    }))
    await route.fulfill({ json: { lesson_id: id, began_at_ms: live_at_ms, ends } })
  })
}

// The real recording, with something left out or another name: what the page makes of it.
async function opens(page: Page, address: string, change: (answer: Answer) => void, furnished?: TestHub): Promise<void> {
  await page.unrouteAll()
  await page.route('**/api/v1/recordings/*', async route => {
    const response = await route.fetch()
    const answer = await response.json() as Answer
    change(answer)
    await route.fulfill({ response, json: answer })
  })
  if (furnished !== undefined) await furnish(page, furnished)
  await page.goto(address)
  await page.waitForSelector('[data-testid="replay"]')
  await page.waitForFunction(() => [...document.querySelectorAll('video')].every(video => video.readyState >= 2))
  await page.waitForTimeout(700)
}

test('the replay is photographed', async () => {
  const hub = await shots.hub()
  const teacher = await visit(shots.browser, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  const { page } = teacher
  await page.waitForURL('**/lessons')
  await page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await page.waitForSelector('[data-testid="device-check"]')
  await page.click('[data-testid="share-board"]')
  await page.click('[data-testid="start"]')
  await page.waitForSelector('[data-testid="desk"]')
  await page.waitForTimeout(TAUGHT_S * 1000)
  const { recording } = await page.evaluate(async id => (await fetch(`/api/v1/lessons/${id}`)).json() as Promise<{ recording: { recording_id: string } }>, hub.sample.lesson_id)
  const address = `${hub.origin}/replay/${recording.recording_id}`

  const watcher = await teacher.context.newPage()
  await watcher.goto(`${address}?t=5`)
  await watcher.waitForSelector(VOICE, { state: 'attached' })
  await watcher.click('[data-testid="play"]')
  await watcher.waitForTimeout(1500)
  await shoot(watcher, 'replay-growing', [SMALL, PHONE])
  await watcher.close()

  await page.locator('[data-testid="end"]').hover()
  await page.mouse.down()
  await page.waitForSelector('[data-testid="ended"]')
  await page.mouse.up()

  await opens(page, `${address}?t=12`, () => {})
  await shoot(page, 'replay-two', [LARGE, SMALL, PHONE])
  await page.setViewportSize(SMALL)
  const timeline = await page.locator('[data-testid="timeline"]').boundingBox()
  if (timeline === null) throw new Error('no timeline')
  await page.mouse.move(timeline.x + timeline.width * 0.7, timeline.y + timeline.height / 2)
  await page.waitForSelector('[data-testid="preview-picture"][data-pictured="true"]')
  await shoot(page, 'replay-preview', [SMALL])
  await page.mouse.move(10, 10)
  await page.keyboard.press('?')
  await shoot(page, 'replay-keys', [SMALL])
  await page.keyboard.press('Escape')
  await page.keyboard.press('s')
  await shoot(page, 'replay-swapped', [SMALL])
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
  await shoot(page, 'replay-beneath', [SMALL])

  const only = (...kinds: string[]) => (answer: Answer) => { answer.tracks = answer.tracks.filter(track => kinds.includes(track.kind)) }
  await opens(page, `${address}?t=12`, only('camera', 'voice'))
  await shoot(page, 'replay-camera', [SMALL, PHONE])
  await opens(page, `${address}?t=12`, only('board', 'voice'))
  await shoot(page, 'replay-board', [SMALL])
  await opens(page, `${address}?t=12`, only('voice'))
  await shoot(page, 'replay-voice', [SMALL, PHONE])
  await opens(page, `${address}?t=12`, (answer) => {
    answer.lesson.title = `英语（人教PEP版）三年级下册 Unit 2 My family 第三课时：${LONG}`
    answer.lesson.teacher.name = LONG_PERSON
    for (const track of answer.tracks) {
      track.gaps.push({ from_ms: 10_000, to_ms: 15_000, reason: 'loss' })
      if (track.kind === 'board') track.gaps.push({ from_ms: 25_000, to_ms: 38_000, reason: 'away' })
    }
  })
  await shoot(page, 'replay-gaps', [LARGE, SMALL, PHONE])

  await opens(page, `${address}?t=12`, () => {}, hub)
  await shoot(page, 'replay-furnished', [LARGE, SMALL, PHONE])
  await page.setViewportSize(SMALL)
  await page.locator('[data-testid="quality"] [role="img"]').nth(1).hover()
  await shoot(page, 'replay-quality', [SMALL])

  await page.unrouteAll()
  await page.route('**/media/*.m4s', route => route.abort())
  await page.goto(`${address}?t=30`)
  await page.waitForSelector('[data-testid="broken"]', { timeout: 60_000 })
  await shoot(page, 'replay-broken', [SMALL, PHONE])
  await page.unrouteAll()

  await page.evaluate(() => localStorage.setItem('tongke.language', 'en'))
  await opens(page, `${address}?t=12`, () => {})
  await shoot(page, 'replay-english', [LARGE, SMALL, PHONE].map(inDark))
  await page.keyboard.press('?')
  await shoot(page, 'replay-keys', [inDark(SMALL)])
  expect(teacher.errors).toEqual([])
  expect(hub.errorLines()).toEqual([])
}, 300_000)
