// Pictures of what stands around a recording: its card, clips, comments, scores, links, the one frame, the lesson that plays
// it; of the consent to record on stage, and of a disk that fills up. SCREENS names the folder. Names are the longest
// there are; what a hub says only in trouble is put into its answers, all else is real.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Page, Route } from 'playwright-core'
import { expect, test } from 'vitest'
import { byTestId } from '../support/selectors'
import { callApi } from '../support/api'
import { type Visitor, visit } from '../support/chromium'
import type { TestHub } from '../support/hub'
import { DARK, LARGE, LONG_CLASS, LONG_PERSON, PHONE, SMALL, inDark, inEnglish, screens } from '../support/screenshots'

const execute = promisify(execFile)
const TAUGHT_MS = 24_000
const TITLE = `英语（人教PEP版）三年级下册 Unit 2 My family 第三课时：${LONG_CLASS}`
const shots = screens()
const { shoot, overflows } = shots

/** The longest names, and an officer who schedules, reviews and administers. */
const NAMES = `
import sqlite3, sys, uuid
db = sqlite3.connect(sys.argv[1] + '/tongke.sqlite', timeout=20)
person, place = db.execute("select person_id, organisation_id from role_grant where role = 'scheduler'").fetchone()
for role in ('system_administrator', 'reviewer'):
    db.execute("insert into role_grant values (?, ?, ?, ?, 0, null)", (str(uuid.uuid4()), person, role, place))
lesson, title, school, teacher = sys.argv[2:]
db.execute("update lesson set title = ? where lesson_id = ?", (title, lesson))
db.execute("update organisation set name = ? where organisation_id = (select organisation_id from lesson where lesson_id = ?)", (school, lesson))
db.execute("update person set name = ? where person_id = (select teacher_id from lesson where lesson_id = ?)", (teacher, lesson))
db.commit()
`

/** A lesson of the timetable becomes one that is played from a recording. */
const RECORDED = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1] + '/tongke.sqlite', timeout=20)
db.execute("update lesson set mode = 'recorded' where lesson_id = ?", (sys.argv[2],))
db.commit()
`

const python = async (script: string, ...words: string[]): Promise<string> => (await execute('python3', ['-c', script, ...words])).stdout.trim()

async function enter(hub: TestHub, link: string, testPattern = false): Promise<Visitor> {
  const visitor = await visit(shots.browser, hub.at(link), { testPattern, width: 1366, height: 768 })
  await visitor.page.waitForURL(url => !url.pathname.startsWith('/enter'))
  return visitor
}

async function teach({ page }: Visitor, hub: TestHub): Promise<string> {
  await page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await page.click(byTestId('share-board'))
  await page.waitForTimeout(1_000)
  await page.click(byTestId('start'))
  await page.waitForSelector(byTestId('desk'))
  await page.waitForTimeout(TAUGHT_MS)
  await callApi(page, 'POST', `lessons/${hub.sample.lesson_id}/end`, {})
  const { recording } = await callApi<{ recording: { recording_id: string } | null }>(page, 'GET', `lessons/${hub.sample.lesson_id}`)
  const id = recording?.recording_id ?? ''
  await expect.poll(async () => (await callApi<{ state: string }>(page, 'GET', `recordings/${id}`)).state, { timeout: 20_000 }).toBe('sealed')
  return id
}

async function replay(page: Page, hub: TestHub, id: string): Promise<void> {
  await page.goto(`${hub.origin}/replay/${id}?t=9`)
  await page.waitForFunction(() => [...document.querySelectorAll('video')].every(video => video.readyState >= 2))
  await page.waitForTimeout(700)
}

test('what stands around a recording is photographed', async () => {
  const hub = await shots.hub()
  await expect.poll(() => python(`import sqlite3, sys
print(sqlite3.connect(sys.argv[1] + '/tongke.sqlite').execute('select count(*) from lesson').fetchone()[0])`, hub.data), { timeout: 30_000 }).not.toBe('1')
  await python(NAMES, hub.data, hub.sample.lesson_id, TITLE, LONG_CLASS, LONG_PERSON)
  const officer = await enter(hub, hub.sample.sign_in_links.scheduler)
  await officer.page.goto(`${hub.origin}/recordings`)
  await officer.page.waitForSelector(byTestId('library'))
  await shoot(officer.page, 'library-empty', [SMALL, DARK])
  const teacher = await enter(hub, hub.sample.sign_in_links.teacher, true)
  const id = await teach(teacher, hub)

  // Beneath the player, before anybody has said anything.
  await replay(officer.page, hub, id)
  await shoot(officer.page, 'talk-empty', [LARGE, SMALL, PHONE], byTestId('clip-form'))
  await officer.page.setViewportSize(SMALL)
  await officer.page.click(byTestId('rubric-add'))
  await officer.page.fill(`${byTestId('rubric-name')}`, '汉滨区同步课堂教学质量评价表（小学英语，二〇二六年秋季修订）')
  for (const name of ['教学目标清楚，远端学生也能跟上', '互动：两端机会均等']) {
    await officer.page.getByLabel('评什么').last().fill(name)
    await officer.page.getByRole('button', { name: '再加一项' }).click()
  }
  await shoot(officer.page, 'rubric-form', [LARGE, SMALL, PHONE, DARK])
  await officer.page.keyboard.press('Escape')
  const { items: [place] } = await callApi<{ items: { organisation_id: string }[] }>(officer.page, 'GET', 'organisations?limit=1')
  await callApi(officer.page, 'POST', 'rubrics', {
    organisation_id: place?.organisation_id, name: '汉滨区同步课堂教学质量评价表（小学英语，二〇二六年秋季修订）',
    criteria: [{ name: '教学目标清楚，远端学生也能跟上', weight: 30, highest: 10 }, { name: '互动：两端机会均等', weight: 50, highest: 10 }, { name: '板书', weight: 20, highest: 5 }],
  })
  for (const [at_ms, text] of [[2_500, '这里停顿得好，远端的孩子跟上了。'], [9_000, `提问可以再多给${LONG_CLASS}一些，他们今天只说了两次话；另外板书的字在教室后排看不清，建议放大。`]] as const)
    await callApi(officer.page, 'POST', `recordings/${id}/comments`, { at_ms, text })
  await callApi(teacher.page, 'POST', `recordings/${id}/comments`, { at_ms: 9_500, text: '谢谢，下节课改。' })
  await callApi(teacher.page, 'POST', `recordings/${id}/clips`, { from_ms: 2_000, to_ms: 9_500, title: '新课导入：看图说话，说说你的家人（两个教学点轮流回答）' })
  await callApi(officer.page, 'POST', `recordings/${id}/clips`, { from_ms: 4_000, to_ms: 8_000, title: '互动' })
  await replay(officer.page, hub, id)
  await shoot(officer.page, 'talk-comments', [LARGE, SMALL, PHONE], byTestId('comments'))
  await officer.page.setViewportSize(SMALL)
  await officer.page.getByLabel('教学目标清楚，远端学生也能跟上').fill('8')
  await shoot(officer.page, 'talk-scores', [LARGE, SMALL, PHONE], byTestId('reviews'))
  await officer.page.fill(byTestId('clip-from'), '12')
  await officer.page.fill(byTestId('clip-to'), '3')
  await shoot(officer.page, 'talk-clips', [LARGE, SMALL, PHONE], byTestId('clip-form'))
  await inEnglish(officer.page)
  await replay(officer.page, hub, id)
  await shoot(officer.page, 'talk-english', [inDark(SMALL), inDark(PHONE)], byTestId('comments'))
  await officer.page.evaluate(() => localStorage.setItem('tongke.language', 'zh-CN'))
  await replay(teacher.page, hub, id)
  await shoot(teacher.page, 'talk-teacher', [SMALL, PHONE], byTestId('clip-form'))

  await composites(teacher.page, hub, id)

  // The library: the card, taken down and put back, its links.
  const { page } = teacher
  await page.goto(`${hub.origin}/recordings?card=${id}`)
  await page.waitForSelector(byTestId('consent'))
  await shoot(page, 'card', [LARGE, SMALL, PHONE])
  await page.click(byTestId('take-down'))
  await shoot(page, 'card-take-down', [SMALL, PHONE, DARK], byTestId('take-down-reason'))
  await page.fill(byTestId('take-down-reason'), '画面里有学生姓名，家长要求撤下，等技术人员处理以后再恢复')
  await page.click(byTestId('take-down-go'))
  await page.waitForSelector(byTestId('put-back'))
  await shoot(page, 'card-taken-down', [SMALL])
  await page.click(byTestId('put-back'))
  await page.click(byTestId('consent'))
  await page.waitForSelector(byTestId('share-make'))
  await page.click(byTestId('share-make'))
  await page.waitForSelector(byTestId('share-link'))
  await shoot(page, 'card-shares', [LARGE, SMALL, PHONE, DARK], byTestId('shares'))
  const link = await page.locator(`${byTestId('share-link')} input`).first().inputValue()
  await inEnglish(page)
  await page.waitForSelector(byTestId('shares'))
  await shoot(page, 'card-english', [inDark(SMALL)], byTestId('shares'))
  await page.evaluate(() => localStorage.setItem('tongke.language', 'zh-CN'))

  const guest = await visit(shots.browser, link, { width: 390, height: 844 })
  await guest.page.waitForSelector(`${byTestId('shared')}[data-state="open"]`)
  await shoot(guest.page, 'shared', [LARGE, SMALL, PHONE])
  await guest.page.click(byTestId('shared-play'))
  await guest.page.waitForFunction(where => (document.querySelector<HTMLVideoElement>(where)?.currentTime ?? 0) > 1, byTestId('shared-main'), { timeout: 30_000 })
  await shoot(guest.page, 'shared-playing', [SMALL, PHONE])
  await inEnglish(guest.page)
  await guest.page.waitForSelector(`${byTestId('shared')}[data-state="open"]`)
  await shoot(guest.page, 'shared-english', [inDark(SMALL), inDark(PHONE)])
  await guest.page.evaluate(() => localStorage.setItem('tongke.language', 'zh-CN'))
  await guest.page.goto('about:blank')
  await guest.page.goto(`${hub.origin}/shared#no-such-token`)
  await guest.page.waitForSelector(`${byTestId('shared')}[data-state="over"]`)
  await shoot(guest.page, 'shared-over', [SMALL, PHONE])

  // A lesson that plays it.
  const tomorrow = new Date(Date.now() + 32 * 3_600_000).toISOString().slice(0, 10)
  await officer.page.setViewportSize(SMALL)
  await officer.page.goto(`${hub.origin}/dispatch?day=${tomorrow}`)
  const lesson = await officer.page.locator('[data-lesson]').first().getAttribute('data-lesson')
  await python(RECORDED, hub.data, lesson ?? '')
  await officer.page.reload()
  await officer.page.click(`[data-lesson="${lesson}"]`)
  await officer.page.waitForSelector(byTestId('source-pick'))
  await shoot(officer.page, 'source-none', [LARGE, SMALL], byTestId('source-pick'))
  await officer.page.setViewportSize(SMALL)
  await officer.page.click(`${byTestId('source-pick')} .n-base-selection`)
  await officer.page.keyboard.type('英语')
  await officer.page.waitForSelector('.n-base-select-option')
  await shoot(officer.page, 'source-found', [LARGE, SMALL, DARK])
  await officer.page.locator('.n-base-select-option').first().click()
  await officer.page.click(byTestId('source-choose'))
  await officer.page.locator(byTestId('source-pick')).getByRole('alert').waitFor()
  await shoot(officer.page, 'source-refused', [SMALL], byTestId('source-pick'))
  await officer.page.route('**/api/v1/lessons/*/source', route => route.fulfill({ json: {
    recording_id: id, clip_id: null, title: TITLE, school: LONG_CLASS, teacher: LONG_PERSON, gone: true, play: null, played_from_ms: null, now_ms: Date.now(),
  } }))
  await officer.page.reload()
  await officer.page.click(`[data-lesson="${lesson}"]`)
  await officer.page.waitForSelector(byTestId('source-pick'))
  await shoot(officer.page, 'source-gone', [SMALL, DARK], byTestId('source-pick'))
  expect([...teacher.errors, ...officer.errors, ...guest.errors]).toEqual([])
  expect(overflows).toEqual([])
}, 400_000)

/** The one frame, in each of its states. */
async function composites(page: Page, hub: TestHub, id: string): Promise<void> {
  const states = [
    ['none', { state: 'none', percent: 0, size_bytes: null }, [LARGE, SMALL, PHONE]],
    ['making', { state: 'making', percent: 37, size_bytes: null }, [SMALL, PHONE]],
    ['failed', { state: 'failed', percent: 0, size_bytes: null }, [SMALL]],
    ['ready', { state: 'ready', percent: 100, size_bytes: 412_000_000 }, [SMALL, PHONE]],
  ] as const
  const path = `**/api/v1/recordings/${id}/composite`
  for (const [name, answer, looks] of states) {
    await page.unrouteAll()
    await page.route(path, route => route.fulfill({ json: { recording_id: id, ...answer } }))
    await replay(page, hub, id)
    await page.click(`${byTestId('download')} summary`)
    await page.waitForSelector(`${byTestId('composite')}[data-state="${name}"]`)
    await shoot(page, `composite-${name}`, looks)
  }
  await page.unrouteAll()
  await page.route(path, async (route: Route) => route.request().method() === 'GET'
    ? route.fulfill({ json: { recording_id: id, state: 'none', percent: 0, size_bytes: null } })
    : route.fulfill({ status: 409, json: { type: '/problems/no-ffmpeg', title: 'Conflict', status: 409, detail: 'ffmpeg cannot be run' } }))
  await inEnglish(page)
  await replay(page, hub, id)
  await page.click(`${byTestId('download')} summary`)
  await page.click(byTestId('composite-make'))
  await page.waitForSelector(byTestId('composite-refused'))
  await shoot(page, 'composite-refused', [inDark(SMALL)])
  await page.evaluate(() => localStorage.setItem('tongke.language', 'zh-CN'))
  await page.unrouteAll()
}

test('the consent to record on stage is photographed', async () => {
  const hub = await shots.hub()
  await python(NAMES, hub.data, hub.sample.lesson_id, TITLE, LONG_CLASS, LONG_PERSON)
  const officer = await enter(hub, hub.sample.sign_in_links.scheduler)
  const { page } = officer
  const { items: [school] } = await callApi<{ items: { organisation_id: string }[] }>(page, 'GET', `organisations?text=${encodeURIComponent(LONG_CLASS)}&limit=1`)
  await page.goto(`${hub.origin}/organisations?at=${school?.organisation_id}`)
  await page.waitForSelector(byTestId('stage-consent-on'))
  await shoot(page, 'consent-off', [LARGE, SMALL, PHONE], byTestId('stage-consent'))
  await page.focus(byTestId('stage-consent-on'))
  await page.keyboard.press('Enter')
  await shoot(page, 'consent-asks', [SMALL, PHONE], byTestId('stage-consent'))
  await page.keyboard.type('三年级一班、二班全体家长同意书（2026-09-01 收齐，原件存教导处，扫描件编号 2026-秋-三-017）')
  await page.keyboard.press('Enter')
  await page.waitForSelector(byTestId('stage-consent-off'))
  await shoot(page, 'consent-on', [LARGE, SMALL, PHONE, DARK], byTestId('stage-consent'))
  await inEnglish(page)
  await page.waitForSelector(byTestId('stage-consent-off'))
  await shoot(page, 'consent-english', [inDark(SMALL)], byTestId('stage-consent'))
  expect(officer.errors).toEqual([])
  expect(overflows).toEqual([])
}, 120_000)

test('a disk that fills up is photographed where people are', async () => {
  const hub = await shots.hub()
  const officer = await enter(hub, hub.sample.sign_in_links.bureau_officer)
  for (const [level, looks] of [['low', [SMALL]], ['tight', [LARGE, SMALL, PHONE]], ['paused', [SMALL, DARK]]] as const) {
    await officer.page.unrouteAll()
    await officer.page.route('**/api/v1/today', async route => {
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...await response.json() as object, disk: level } })
    })
    await officer.page.goto(`${hub.origin}/lessons`)
    await officer.page.waitForSelector(byTestId('today-disk'))
    await shoot(officer.page, `today-disk-${level}`, looks)
  }
  const teacher = await visit(shots.browser, hub.at(hub.sample.sign_in_links.teacher), { testPattern: true })
  await teacher.page.waitForURL('**/lessons')
  let say: (keeping: string) => void = () => {}
  await teacher.page.routeWebSocket(/\/api\/v1\//, (socket) => {
    const server = socket.connectToServer()
    // The page says what it says; the hub's own word on the recording does not come through.
    server.onMessage(message => String(message).includes('"type":"keeping"') ? undefined : socket.send(message))
    say = keeping => socket.send(JSON.stringify({ type: 'keeping', keeping }))
  })
  await teacher.page.goto(`${hub.origin}/teach/${hub.sample.lesson_id}?camera=360p`)
  await teacher.page.click(byTestId('share-board'))
  await teacher.page.click(byTestId('start'))
  await teacher.page.waitForSelector(byTestId('desk'))
  await teacher.page.waitForTimeout(2_000)
  for (const keeping of ['lean', 'paused']) {
    say(keeping)
    await teacher.page.waitForSelector(byTestId('keeping-word'))
    await shoot(teacher.page, `desk-disk-${keeping}`, [LARGE, SMALL])
  }
  expect([...officer.errors, ...teacher.errors]).toEqual([])
  expect(overflows).toEqual([])
}, 180_000)
