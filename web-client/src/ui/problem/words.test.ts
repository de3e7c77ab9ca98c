import type { Because, KnownProblem, KnownReason, Problem, ProblemType, ReasonCode } from '../../api/problem'
import { expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'
import { en } from '../../locale/en'
import { zhCN } from '../../locale/zh-CN'
import { fieldLabel, problemWords, reasonWords } from './words'

type Language = 'zh-CN' | 'en'

const LANGUAGES: readonly Language[] = ['zh-CN', 'en']
const { t: zh } = createI18n({ legacy: false, locale: 'zh-CN', messages: { 'zh-CN': zhCN, en } }).global
const { t: english } = createI18n({ legacy: false, locale: 'en', messages: { 'zh-CN': zhCN, en } }).global

/** Words that leave nothing out: every placeholder of a sentence is filled, and every key has its sentence. */
function strict(language: Language) {
  return (key: string, named: Record<string, unknown>, plural: number): string => {
    let message: unknown = language === 'en' ? en : zhCN
    for (const part of key.split('.'))
      message = (message as Record<string, unknown>)[part]
    expect(message, key).toBeTypeOf('string')
    for (const [, name = ''] of (message as string).matchAll(/\{(\w+)\}/g))
      expect(named[name], `${key}: {${name}}`).toSatisfy((value: unknown) => typeof value === 'number' || (typeof value === 'string' && value !== ''))
    return (language === 'en' ? english : zh)(key, named, plural)
  }
}

const asProblem = (known: KnownProblem | { type: string }): Problem => ({ title: 'Conflict', status: 409, detail: 'in English', ...known, type: `/problems/${known.type}` })
const told = (known: KnownProblem | { type: string }, language: Language) => problemWords(asProblem(known), strict(language), language)
const because = (known: KnownReason | Because, language: Language, field?: string) => reasonWords(known as Because, strict(language), language, field)

const clash = { lesson_id: 'a', title: '', resource: 'teacher', resource_id: 't', with: 'b', with_title: '英语', starts_at_ms: 0, ends_at_ms: 0 }
const gone = { rule: 'retention', on: '2026-10-21' } as const

/** One of each type: a type without a sample does not compile. */
const PROBLEMS: { [Type in ProblemType]: Extract<KnownProblem, { type: Type }> | { type: Type } } = {
  'cross-site': { type: 'cross-site' }, 'not-found': { type: 'not-found' }, 'not-allowed': { type: 'not-allowed' }, 'already-there': { type: 'already-there' }, 'separated-powers': { type: 'separated-powers' },
  'version-needed': { type: 'version-needed' }, 'other-version': { type: 'other-version' }, 'key-reused': { type: 'key-reused' }, 'busy': { type: 'busy' }, 'method-not-allowed': { type: 'method-not-allowed' }, 'too-slow': { type: 'too-slow' },
  'too-many-attempts': { type: 'too-many-attempts' }, 'secret-in-url': { type: 'secret-in-url' }, 'internal': { type: 'internal' }, 'invalid': { type: 'invalid', field: 'name', reason: 'empty' } as KnownProblem & { type: 'invalid' },
  'unsupported-media-type': { type: 'unsupported-media-type', expected: 'application/json' }, 'too-large': { type: 'too-large', max_bytes: 4_000_000 }, 'bad-request': { type: 'bad-request', why: 'no JSON' },
  'too-many-at-once': { type: 'too-many-at-once', max: 2 }, 'range-not-satisfiable': { type: 'range-not-satisfiable', size_bytes: 9 },
  'signed-out': { type: 'signed-out' }, 'link-refused': { type: 'link-refused' }, 'set-up-needed': { type: 'set-up-needed' }, 'plain-http': { type: 'plain-http' }, 'already-set-up': { type: 'already-set-up' },
  'sign-in-refused': { type: 'sign-in-refused', failures_max: 5, lock_minutes: 15 },
  'token-missing': { type: 'token-missing' }, 'token-expired': { type: 'token-expired' }, 'token-refused': { type: 'token-refused' }, 'wrong-kind-of-token': { type: 'wrong-kind-of-token' }, 'guests-full': { type: 'guests-full' },
  'hub-full': { type: 'hub-full' }, 'session-gone': { type: 'session-gone' }, 'if-match-required': { type: 'if-match-required' }, 'etag-differs': { type: 'etag-differs' },
  'wrong-lesson-state': { type: 'wrong-lesson-state', state: 'missed' }, 'bad-sdp': { type: 'bad-sdp', why: 'not UTF-8' }, 'media-mismatch': { type: 'media-mismatch', why: 'two m-lines' }, 'bad-sdp-fragment': { type: 'bad-sdp-fragment', why: 'no ufrag' },
  'unsupported-codec': { type: 'unsupported-codec', track: 'board', wanted: ['VP9', 'H264'] },
  'taken-down': { type: 'taken-down', reason: '画面里有学生姓名' }, 'rights': { type: 'rights', reason: 'other-side', side: 'keeper' },
  'no-ffmpeg': { type: 'no-ffmpeg' }, 'composite-busy': { type: 'composite-busy' }, 'not-two-pictures': { type: 'not-two-pictures' }, 'composite-refused': { type: 'composite-refused' },
  'recording-held': { type: 'recording-held' }, 'wrong-storage-state': { type: 'wrong-storage-state', state: 'pending_deletion' }, 'recording-deleted': { type: 'recording-deleted', gone }, 'report-deleted': { type: 'report-deleted', gone },
  'double-booked': { type: 'double-booked', clashes: [clash] }, 'receiver-limit': { type: 'receiver-limit', interactive: true, may_watch: true, max: 3, asked: 5 },
  'stands-on': { type: 'stands-on', what: 'lessons', count: 2 }, 'unreadable-file': { type: 'unreadable-file', why: 'it is no XLSX file' }, 'bad-lines': { type: 'bad-lines', faults: [{ row: 2, column: 'name', value: '', reason: 'empty' }] },
}

/** One of each reason, likewise. */
const REASONS: { [Code in ReasonCode]: Because & { reason: Code } } = {
  'empty': { reason: 'empty' }, 'too-long': { reason: 'too-long', max: 80 }, 'too-many': { reason: 'too-many', max: 20 }, 'out-of-range': { reason: 'out-of-range', min: 0, max: 500 }, 'unprintable': { reason: 'unprintable' },
  'control-characters': { reason: 'control-characters' }, 'reason-needed': { reason: 'reason-needed', max: 200 }, 'not-after-start': { reason: 'not-after-start' }, 'in-the-past': { reason: 'in-the-past' }, 'export-too-long': { reason: 'export-too-long', max: 50_000 },
  'not-a-sign-in-name': { reason: 'not-a-sign-in-name', min: 3, max: 32 }, 'too-short': { reason: 'too-short', min: 10 }, 'untypable': { reason: 'untypable' }, 'too-few-kinds': { reason: 'too-few-kinds', min: 3 },
  'common-password': { reason: 'common-password' }, 'used-before': { reason: 'used-before', last: 5 }, 'wrong-code': { reason: 'wrong-code' }, 'not-a-top-kind': { reason: 'not-a-top-kind' },
  'not-a-region-code': { reason: 'not-a-region-code' }, 'no-such-province': { reason: 'no-such-province' }, 'other-level': { reason: 'other-level' }, 'not-a-school-code': { reason: 'not-a-school-code' }, 'other-region': { reason: 'other-region' },
  'not-a-local-id': { reason: 'not-a-local-id' }, 'not-below-there': { reason: 'not-below-there' }, 'below-itself': { reason: 'below-itself' }, 'not-empty': { reason: 'not-empty' }, 'import-too-long': { reason: 'import-too-long', max: 5_000 },
  'not-a-public-key': { reason: 'not-a-public-key', bytes: 65 }, 'basis-needed': { reason: 'basis-needed' },
  'a-date': { reason: 'a-date' }, 'an-error': { reason: 'an-error' }, 'scientific': { reason: 'scientific' }, 'file-empty': { reason: 'file-empty' }, 'no-such-column': { reason: 'no-such-column' }, 'column-twice': { reason: 'column-twice' },
  'column-missing': { reason: 'column-missing' }, 'no-such-place': { reason: 'no-such-place' }, 'namesakes': { reason: 'namesakes' }, 'no-such-id': { reason: 'no-such-id' }, 'no-such-id-there': { reason: 'no-such-id-there' },
  'repeats-row': { reason: 'repeats-row', other_row: 3 }, 'in-use': { reason: 'in-use' }, 'in-use-elsewhere': { reason: 'in-use-elsewhere' }, 'not-a-kind': { reason: 'not-a-kind' }, 'not-a-stage': { reason: 'not-a-stage' },
  'kind-stays': { reason: 'kind-stays' }, 'stage-stays': { reason: 'stage-stays' }, 'parent-needed': { reason: 'parent-needed' }, 'no-such-classroom': { reason: 'no-such-classroom' }, 'not-a-school': { reason: 'not-a-school' }, 'other-roles': { reason: 'other-roles' },
  'date-out-of-range': { reason: 'date-out-of-range' }, 'no-such-recording': { reason: 'no-such-recording' }, 'still-recording': { reason: 'still-recording' }, 'not-embedded': { reason: 'not-embedded' }, 'plays-no-recording': { reason: 'plays-no-recording' },
  'taken-down': { reason: 'taken-down' }, 'not-published': { reason: 'not-published' }, 'licence': { reason: 'licence' },
  'too-many-comments': { reason: 'too-many-comments', max: 500 }, 'not-a-place-above': { reason: 'not-a-place-above' }, 'outside-the-lesson': { reason: 'outside-the-lesson' }, 'clip-too-short': { reason: 'clip-too-short', min_seconds: 1 },
  'beyond-the-recording': { reason: 'beyond-the-recording' }, 'no-such-tracks': { reason: 'no-such-tracks' }, 'no-such-clip': { reason: 'no-such-clip' }, 'no-such-rubric': { reason: 'no-such-rubric' }, 'own-lesson': { reason: 'own-lesson' },
  'criteria-count': { reason: 'criteria-count', max: 20 }, 'criterion-name': { reason: 'criterion-name', number: 2, why: { reason: 'too-long', max: 80 } }, 'criterion-twice': { reason: 'criterion-twice', name: '互动' },
  'criterion-bounds': { reason: 'criterion-bounds', name: '互动', max: 100 }, 'weights-sum': { reason: 'weights-sum', sum: 99, whole: 100 }, 'scores-count': { reason: 'scores-count', count: 3 }, 'score-too-high': { reason: 'score-too-high', name: '互动', highest: 10 },
  'quota-gigabytes-out-of-range': { reason: 'quota-gigabytes-out-of-range', min: 1, max: 1_000_000 }, 'quota-days-out-of-range': { reason: 'quota-days-out-of-range', min: 1, max: 36_500 }, 'policy-days-out-of-range': { reason: 'policy-days-out-of-range', min: 180, max: 36_500 },
  'year-out-of-range': { reason: 'year-out-of-range', min: 2000, max: 2100 }, 'ends-before-it-begins': { reason: 'ends-before-it-begins', name: '第一学期' }, 'too-many-weeks': { reason: 'too-many-weeks', name: '第一学期', max: 30 },
  'outside-year': { reason: 'outside-year', name: '第一学期' }, 'terms-overlap': { reason: 'terms-overlap', name: '第一学期' }, 'makes-up-outside': { reason: 'makes-up-outside', on: '2026-10-10', taught_as: '2027-03-01' },
  'taught-twice': { reason: 'taught-twice', taught_as: '2026-10-05', first: '2026-10-10', second: '2026-10-17' },
  'period-count': { reason: 'period-count', name: '冬季作息', max: 32 }, 'period-ends-before-it-begins': { reason: 'period-ends-before-it-begins', period: 'lesson-3' }, 'periods-overlap': { reason: 'periods-overlap', first: 'lesson-3', second: 'long_break-1' },
  'period-twice': { reason: 'period-twice', period: 'evening_study-2' }, 'seasons-meet': { reason: 'seasons-meet', name: '冬季作息', other: '夏季作息' },
  'not-a-month-day': { reason: 'not-a-month-day' }, 'not-a-minute': { reason: 'not-a-minute', max: 1440 }, 'not-a-period': { reason: 'not-a-period' }, 'not-weeks': { reason: 'not-weeks' }, 'not-in-term': { reason: 'not-in-term' },
  'week-or-date': { reason: 'week-or-date' }, 'no-such-week': { reason: 'no-such-week' }, 'figure-too-large': { reason: 'figure-too-large', figure: 'opens_before_min', max: 120 },
  'class-count': { reason: 'class-count', min: 1, max: 200 }, 'subjects-needed': { reason: 'subjects-needed' }, 'agreement-cancelled': { reason: 'agreement-cancelled' }, 'unknown-subject': { reason: 'unknown-subject', subject: '炼金术' },
  'unknown-grade': { reason: 'unknown-grade', grade: '七年级' }, 'weekly-count': { reason: 'weekly-count', max: 35 }, 'no-lessons-in': { reason: 'no-lessons-in', period: 'long_break-1' }, 'planned-twice': { reason: 'planned-twice', period: 'lesson-3' },
  'listens-twice': { reason: 'listens-twice' }, 'listens-to-itself': { reason: 'listens-to-itself' }, 'delivery-does-not-fit': { reason: 'delivery-does-not-fit' },
  'off': { reason: 'off', date: '2026-10-01', name: '国庆节' }, 'taken-for': { reason: 'taken-for', date: '2026-10-10', other: '2026-10-05' }, 'no-bells': { reason: 'no-bells', date: '2026-10-01' },
  'no-such-period': { reason: 'no-such-period', schedule: '冬季作息', period: 'lesson-8' }, 'too-little-shared': { reason: 'too-little-shared', shared_min: 15, needed_min: 20 }, 'nobody-listens': { reason: 'nobody-listens' }, 'no-listening-right': { reason: 'no-listening-right' },
  'same-day': { reason: 'same-day' }, 'no-lessons-to-move': { reason: 'no-lessons-to-move' }, 'lessons-stay': { reason: 'lessons-stay', count: 2, lesson_title: '英语', because: { reason: 'off', date: '2026-10-01', name: '国庆节' } },
  'mode-not-used': { reason: 'mode-not-used' }, 'outside-serve-scope': { reason: 'outside-serve-scope' }, 'listening-class-needed': { reason: 'listening-class-needed' }, 'item-not-asked-for': { reason: 'item-not-asked-for' },
}

it.each(LANGUAGES)('has whole sentences for every type and every reason: %s', (language) => {
  for (const problem of Object.values(PROBLEMS)) {
    const { title, why } = told(problem, language)
    expect(title, problem.type).not.toMatch(/[.。]$/)
    expect(why, problem.type).toMatch(/[.。]$/)
    expect(why, problem.type).not.toContain('in English')
  }
  for (const reason of Object.values(REASONS))
    expect(because(reason, language), reason.reason).toMatch(/[^.。|]$/)
})

it.each(LANGUAGES)('has whole sentences for every value that decides which one is said: %s', (language) => {
  for (const state of Object.keys(zhCN.problem['wrong-lesson-state'].why))
    expect(told({ type: 'wrong-lesson-state', state } as KnownProblem, language).why).not.toContain('in English')
  for (const [code, words] of Object.entries(zhCN.reason)) {
    for (const field of typeof words === 'object' ? Object.keys(words) : [])
      expect(because(REASONS[code as ReasonCode], language, field)).not.toBe('')
  }
})

it('tells in both languages what was deleted, by which rule and on which day', () => {
  expect(told({ type: 'recording-deleted', gone }, 'zh-CN')).toEqual({ title: '录像已经删除', why: '这节课的录像已按保存期限于 2026 年 10 月 21 日删除，审计里有记录。' })
  expect(told({ type: 'recording-deleted', gone }, 'en')).toEqual({ title: 'This recording was deleted', why: 'The recording of this lesson was deleted on 21 October 2026, when its time was over. The audit has a record of it.' })
  expect(told({ type: 'recording-deleted', gone: { rule: 'request', on: '2026-10-21' } }, 'en').why).toContain('was asked for')
  expect(told({ type: 'recording-deleted', gone: { rule: 'request', on: null } }, 'zh-CN').why).toBe('这节课的录像正在删除，不能再看。')
  expect(told({ type: 'report-deleted', gone }, 'en').why).toContain('Attendance and report of this lesson were deleted on 21 October 2026')
})

it('names the field by its label, and the reason with its figures', () => {
  const invalid = (field: string, reason: Because, language: Language) => told({ type: 'invalid', field, ...reason }, language).why
  expect(invalid('name', { reason: 'too-long', max: 80 }, 'zh-CN')).toBe('请检查“名称”：最多 80 个字。')
  expect(invalid('name', { reason: 'too-long', max: 80 }, 'en')).toBe('Please check “Name”: at most 80 characters.')
  expect(invalid('organisation.kind', { reason: 'not-a-top-kind' }, 'zh-CN')).toBe('请检查“机构类型”：最上级应为省、市或县级机构。')
  // Some reasons are said otherwise of some fields.
  expect(invalid('clips', { reason: 'too-many', max: 100 }, 'zh-CN')).toBe('请检查“片段”：一个录像最多 100 个片段，请先删除不用的。')
  expect(invalid('hours', { reason: 'out-of-range', min: 1, max: 720 }, 'zh-CN')).toBe('请检查“有效期”：有效期为 1 小时到 30 天。')
  expect(invalid('until_ms', { reason: 'in-the-past' }, 'en')).toBe('Please check “Until”: it has to be held until some time in the future.')
  // No form shows it.
  expect(fieldLabel('slots', strict('en'))).toBe('slots')
})

it('writes days and periods as the page does', () => {
  expect(because(REASONS.off, 'zh-CN')).toBe('2026 年 10 月 1 日放假（国庆节）')
  expect(because(REASONS['taken-for'], 'en')).toBe('10 October 2026 has the lessons of 5 October 2026')
  expect(because(REASONS['no-such-period'], 'zh-CN')).toBe('冬季作息里没有第8节')
  expect(because(REASONS['periods-overlap'], 'en')).toBe('Long break begins before Period 3 ends; periods go in the order of the day and do not overlap')
  expect(because(REASONS['period-twice'], 'zh-CN')).toBe('晚自习2写了两次')
  expect(because({ reason: 'taught-twice', taught_as: '2026-10-05', first: '2026-10-05', second: '2026-10-17' }, 'zh-CN')).toBe('2026 年 10 月 5 日没有放假，不用补它的课')
})

it('says the reason within a reason, and what keeps a lesson where it is', () => {
  expect(because(REASONS['criterion-name'], 'zh-CN')).toBe('第 2 项的名称最多 80 个字')
  expect(because(REASONS['lessons-stay'], 'zh-CN')).toBe('有 2 节课不能调到这一天，其中《英语》：2026 年 10 月 1 日放假（国庆节）；可以只调其余的课')
  expect(because({ reason: 'lessons-stay', count: 1, lesson_title: '英语', because: { reason: 'wrong-lesson-state', state: 'live' } }, 'en')).toBe('one lesson cannot be moved to this day: “英语”, because the lesson is live; the others can be moved without it')
  expect(because({ reason: 'wrong-lesson-state', state: 'ended' }, 'zh-CN')).toBe('课已经结束，可以看回放')
  expect(because({ reason: 'wrong-lesson-state', state: 'ended' }, 'en')).toBe('the lesson is over')
  expect(because({ reason: 'not-found' }, 'en')).toBe('not found')
})

it('names each lesson that has what is wanted once, and none that is not theirs to know', () => {
  const titled = (...titles: string[]) => ({ type: 'double-booked', clashes: titles.map(with_title => ({ ...clash, with_title })) }) as const
  expect(told(titled('语文', '英语', '语文', ''), 'zh-CN').why).toBe('教师、教室、班级或设备在这个时间已经有课：《英语》、《语文》。请换一节，或先调开那节课。')
  expect(told(titled('English', 'Art'), 'en').why).toContain('at this time: “Art”, “English”.')
  expect(told(titled(''), 'zh-CN').why).toContain('已经有别的课。')
})

it('counts in both languages', () => {
  expect(told({ type: 'stands-on', what: 'terms', count: 1 }, 'en').why).toBe('One term belongs to it. Please delete that first.')
  expect(told({ type: 'stands-on', what: 'terms', count: 3 }, 'en').why).toBe('3 terms belong to it. Please delete them first.')
  expect(told({ type: 'stands-on', what: 'courses', count: 3 }, 'zh-CN').why).toBe('有 3 门课程排在里面，请先删除这些课程，再修改。')
  expect(told(PROBLEMS['unsupported-codec'], 'zh-CN').why).toContain('板书画面需要 VP9、H264。')
  expect(told(PROBLEMS['too-large'], 'en').why).toBe('It can be 4 MB at most.')
})

it('falls back to the English text, in brackets, where a newer hub says what this page does not know', () => {
  expect(told({ type: 'moon-full' }, 'zh-CN')).toEqual({ title: '没有成功', why: '服务器没有接受这个请求（in English）。' })
  expect(told({ type: 'moon-full' }, 'en')).toEqual({ title: 'It did not work', why: 'The server did not accept the request (in English).' })
  expect(told({ type: 'invalid', field: 'name', reason: 'moonlit' } as { type: string }, 'zh-CN').why).toBe('请检查“名称”（in English）。')
  expect(told({ type: 'wrong-lesson-state', state: 'dreaming' } as { type: string }, 'en')).toEqual({ title: 'Not at this moment', why: 'The server did not accept the request (in English).' })
  expect(told({ type: 'double-booked' }, 'zh-CN').why).toContain('已经有别的课。')
  expect(because({ reason: 'moonlit' }, 'zh-CN')).toBe('原因不明（moonlit），请刷新页面后再看')
  // Not the hub's own answer.
  expect(problemWords({ type: 'about:blank', title: 'Bad Gateway', status: 502, detail: '' }, strict('en'), 'en').why).toBe('The server did not accept the request (Bad Gateway).')
  expect(problemWords({ type: 'toString', title: '', status: 500, detail: '' }, strict('en'), 'en').why).toBe('The server did not accept the request (500).')
})
