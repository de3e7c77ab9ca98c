// Pictures of the storage page: a term of recordings in every state, a full school, a moved clock, and the first day.
// SCREENS names the folder. What a term leaves in the tables is written there by a script; the hub and its page are real.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { byTestId } from '../support/selectors'
import { visit } from '../support/chromium'
import { DARK, LARGE, SMALL, screens } from '../support/screenshots'

const execute = promisify(execFile)
const shots = screens()
const { shoot, overflows } = shots

/** The scheduler of the sample becomes its system administrator. */
const KEEPER = `
import sqlite3, sys, time, uuid
db = sqlite3.connect(sys.argv[1] + '/tongke.sqlite', timeout=20)
person, place = db.execute("select person_id, organisation_id from role_grant where role = 'scheduler'").fetchone()
db.execute("insert into role_grant values (?, ?, 'system_administrator', ?, 0, null)", (str(uuid.uuid4()), person, place))
db.commit()
`

/** Forty days of recordings at the schools of the county. */
const TERM = `${KEEPER}
now, day = int(time.time() * 1000), 86400000
db.execute("update organisation set name = '汉滨区茨沟镇中心小学景家教学点' where organisation_id = (select organisation_id from organisation where kind = 'teaching_point' order by name limit 1)")
rows = db.execute("select lesson.lesson_id, lesson.organisation_id from lesson join organisation using (organisation_id) where organisation.kind <> 'county' order by lesson.organisation_id, starts_at_ms").fetchall()
schools, taken = {}, []
for lesson, school in rows:
    mine = schools.setdefault(school, [])
    if len(mine) < 60 and len(schools) <= 9:
        mine.append(lesson)
db.execute("update lesson set title = '英语 三年级 第3课：汉滨区茨沟镇中心小学景家教学点三年级二班公开课' where lesson_id = ?", (rows[0][0],))
for n, (school, lessons) in enumerate(schools.items()):
    if n in (1, 2, 3):
        db.execute("insert into storage_quota values (?, ?, ?, 1)", (school, [None, 12, 20, 25][n], 400))
    for k, lesson in enumerate(lessons[:60 - n * 5]):
        ended = now - (k % 40) * day - 3600000 * (n + 1)
        size = 250_000_000 + (k * 37 + n * 91) % 300 * 1_000_000
        recording = str(uuid.uuid4())
        old = k % 40 >= 30
        state = 'live' if k == 0 and n == 0 else 'pending_deletion' if old and k % 3 else 'archived' if k % 40 else 'sealed'
        db.execute("insert or ignore into recording values (?, ?, ?, ?, ?)", (recording, lesson, 'recording' if state == 'live' else 'sealed', ended - 2400000, ended))
        if db.execute("select 1 from recording where recording_id = ?", (recording,)).fetchone() is None:
            continue
        pending = state == 'pending_deletion'
        held = old and not pending
        db.execute("""insert into kept_recording (recording_id, state, size_bytes, duration_ms, recorded_on, ended_at_ms, is_mirrored, held_by,
                      held_name, held_reason, held_at_ms, pending_since_ms, pending_rule, pending_by, pending_reason, runs_pending)
                      values (?, ?, ?, 2400000, date(?, 'unixepoch'), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 2)""",
                   (recording, state, size, ended // 1000, ended, int(k % 5 != 0), 'person:x' if held else None, '李主任' if held else None,
                    '家长投诉，取证中' if held else None, now if held else None, now - 2 * day if pending else None,
                    ('request' if k % 7 == 0 else 'retention') if pending else None, 'system' if pending else None,
                    ('家长要求删除' if k % 7 == 0 else '') if pending else None))
db.execute("insert into retention_run values (1, ?, 'too_many', 0, 12, 3, 31, null)", (now - day // 3,))
db.commit()
`

async function keeper(script: string): Promise<{ page: Page, errors: string[] }> {
  const hub = await shots.hub()
  await expect.poll(async () => (await execute('python3', ['-c', `import sqlite3, sys
print(sqlite3.connect(sys.argv[1] + '/tongke.sqlite').execute('select count(*) from lesson').fetchone()[0])`, hub.data])).stdout.trim(), { timeout: 30_000 }).not.toBe('1')
  await execute('python3', ['-c', script, hub.data])
  const { page, errors } = await visit(shots.browser, hub.at(hub.sample.sign_in_links.scheduler))
  await page.waitForURL(url => !url.pathname.startsWith('/enter'))
  await page.goto(`${hub.origin}/storage`)
  await page.waitForSelector(byTestId('storage'))
  await page.waitForTimeout(800)
  return { page, errors }
}

test('the storage page is photographed with a term of recordings', async () => {
  const { page, errors } = await keeper(TERM)
  await page.waitForSelector(byTestId('school-bars'))
  await page.waitForSelector('.n-data-table')
  await shoot(page, 'storage')
  await page.setViewportSize({ width: 1366, height: 768 })
  await page.locator(byTestId('kept')).scrollIntoViewIfNeeded()
  await page.locator('.n-data-table').scrollIntoViewIfNeeded()
  await page.getByRole('button', { name: '等待删除', exact: true }).click()
  await page.waitForTimeout(900)
  await shoot(page, 'storage-pending')
  // Taken back, it is no longer to be deleted; and what is held says by whom and why.
  const before = await page.locator('.n-data-table-tbody tr').count()
  await page.getByRole('button', { name: /^恢复 / }).first().click()
  await expect.poll(() => page.locator('.n-data-table-tbody tr').count()).toBe(before - 1)
  await page.getByRole('button', { name: /^保留 / }).first().click()
  await page.getByLabel('原因').fill('纠纷取证')
  await shoot(page, 'storage-hold')
  await page.locator('.n-dialog').getByRole('button', { name: '保留', exact: true }).click()
  await expect.poll(() => page.locator('.n-data-table-tbody tr').count()).toBe(before - 2)
  await page.getByRole('button', { name: '被保留', exact: true }).click()
  await expect.poll(() => page.locator('.n-data-table').textContent()).toContain('纠纷取证')
  await page.setViewportSize({ width: 1366, height: 768 })
  await page.getByRole('button', { name: / 的上限$/ }).first().click()
  await shoot(page, 'storage-limit', [LARGE, SMALL, DARK])
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: / 的保存期限$/ }).first().click()
  await shoot(page, 'storage-policy', [LARGE, SMALL, DARK])
  expect(errors).toEqual([])
  expect(overflows).toEqual([])
}, 240_000)

/** The disk of the hub, as full as it is told to be. */
async function filled(page: Page, disk: object): Promise<void> {
  await page.route('**/api/v1/storage', async route => {
    const response = await route.fetch()
    await route.fulfill({ response, json: { ...await response.json() as object, disk } })
  })
  await page.reload()
  await page.waitForSelector(byTestId('disk'))
}

test('a disk that fills up is photographed', async () => {
  const { page, errors } = await keeper(KEEPER)
  await filled(page, { level: 'tight', free_bytes: 41_000_000_000, total_bytes: 480_000_000_000, full_in_minutes: 96 })
  await shoot(page, 'storage-disk-tight', [LARGE, SMALL])
  await filled(page, { level: 'paused', free_bytes: 1_200_000_000, total_bytes: 480_000_000_000, full_in_minutes: 3 })
  await shoot(page, 'storage-disk-paused')
  expect(errors).toEqual([])
  expect(overflows).toEqual([])
}, 120_000)

test('the storage page of the first day is photographed', async () => {
  const { page, errors } = await keeper(KEEPER)
  await shoot(page, 'storage-empty')
  expect(errors).toEqual([])
  expect(overflows).toEqual([])
}, 120_000)
