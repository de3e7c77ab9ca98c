import type { Schema } from '../../api/model'
import type { Because, KnownProblem, KnownReason, Problem, ProblemType, ReasonCode } from '../../api/problem'
import { kindOf } from '../../api/problem'
import { bytes } from '../../locale/bytes'
import { periodName } from '../../locale/period'
import { dateName } from '../../locale/time'
import { zhCN } from '../../locale/zh-CN'

// A problem in the words of the page, made of its type and the parameters beside it. The hub's English text stands only in
// brackets, where a program alone can have caused it.

/** What happened, and what to do. */
export interface ProblemWords {
  title: string
  why: string
}

/** `t` of vue-i18n. */
export type Translate = (key: string, named: Record<string, unknown>, plural: number) => string

type Named = Record<string, string | number>

/** Words of exactly these keys: one too many does not compile, and neither does one that is missing. */
type Exactly<Words, Key extends string> = Record<Key, unknown> & Record<Exclude<keyof Words, Key>, never>

// Each type and each reason has its words, and so has each value that decides which sentence is said. The English words have
// the keys of the Chinese ones: see `Words`.
const problems = zhCN.problem satisfies Exactly<typeof zhCN.problem, ProblemType | 'unknown'> & {
  'wrong-lesson-state': { why: Record<Schema['LessonState'], string> }
  'wrong-storage-state': { why: Record<Schema['StorageState'], string> }
  'unsupported-codec': { what: Record<Schema['TrackKind'], string> }
  'recording-deleted': { why: Record<Schema['DeletionRule'], string> }
  'report-deleted': { why: Record<Schema['DeletionRule'], string> }
  'stands-on': { why: Record<Extract<KnownProblem, { type: 'stands-on' }>['what'], string> }
  'rights': { why: Record<Extract<KnownProblem, { type: 'rights' }>['reason'], unknown> }
}
const reasons = zhCN.reason satisfies Exactly<typeof zhCN.reason, ReasonCode | 'unknown'>

/** Titles of the lessons that have what is wanted: a few say what to look for. */
const TITLES_MAX = 5
const HOURS_PER_DAY = 24

/** Problems of a type that this page does not know are told by the hub's English text, in brackets. */
export function problemWords(problem: Problem, t: Translate, language: string): ProblemWords {
  const kind = kindOf(problem)
  const detail = problem.detail || problem.title || String(problem.status)
  if (!isKey(problems, kind) || kind === 'unknown')
    return { title: t('problem.unknown.title', {}, 1), why: t('problem.unknown.why', { detail }, 1) }
  const [key, named] = sentenceOf({ ...problem, type: kind } as KnownProblem, problem, t, language)
  const path = `problem.${kind}.${key}`
  return { title: t(`problem.${kind}.title`, {}, 1), why: isSentence(path) ? say(t, path, { detail, ...named }) : t('problem.unknown.why', { detail }, 1) }
}

/** A part of a sentence, without a stop. `field`: of a form, by its name on the wire. */
export function reasonWords(because: Because, t: Translate, language: string, field: string = 'any'): string {
  const code = because.reason
  if (!isKey(reasons, code) && isKey(problems, code))
    return partOf(problemWords({ ...because, type: code, title: '', status: 0, detail: code }, t, language), code)
  if (!isKey(reasons, code) || code === 'unknown')
    return t('reason.unknown', { reason: code }, 1)
  const known = because as KnownReason
  const words: unknown = reasons[code]
  const path = typeof words === 'string' ? `reason.${code}` : `reason.${code}.${variantOf(known, isKey(words as object, field) ? field : 'any')}`
  return say(t, path, { ...scalars(because), ...formatted(known, t, language) })
}

/** What keeps a lesson where it is may be a problem of its own, as the state that the lesson is in: its first sentence. */
function partOf({ title, why }: ProblemWords, code: string): string {
  // What to do about an address that leads nowhere is no reason.
  const [sentence = ''] = code === 'not-found' ? [title] : why.split(/[。.](?:\s|$)/)
  return sentence.charAt(0).toLowerCase() + sentence.slice(1)
}

/** What people call a field of a form. */
export function fieldLabel(field: string, t: Translate): string {
  const path = `field.${field}`
  return isSentence(path) ? t(path, {}, 1) : field
}

/** Which sentence of its type, and what stands in it. The objects of a newer hub may lack what this page knows. */
function sentenceOf(known: KnownProblem, problem: Problem, t: Translate, language: string): [key: string, named: Named] {
  const named = scalars(problem)
  switch (known.type) {
    case 'invalid': {
      const because = problem as unknown as Because
      const field = fieldLabel(known.field, t)
      if (!isKey(reasons, because.reason))
        return ['unknown', { field }]
      return ['why', { field, reason: reasonWords(because, t, language, known.field) }]
    }
    case 'too-large':
      return ['why', { max: bytes(known.max_bytes) }]
    case 'wrong-lesson-state':
    case 'wrong-storage-state':
      return [`why.${known.state}`, named]
    case 'unsupported-codec': {
      const what = `problem.unsupported-codec.what.${known.track}`
      return ['why', { what: isSentence(what) ? t(what, {}, 1) : known.track, wanted: listed(known.wanted ?? [], t) }]
    }
    case 'rights':
      return [known.reason === 'other-side' ? `why.other-side.${known.side}` : `why.${known.reason}`, named]
    case 'recording-deleted':
    case 'report-deleted':
      return known.gone?.on == null ? ['why.going', {}] : [`why.${known.gone.rule}`, { day: dateName(known.gone.on, language) }]
    case 'double-booked': {
      const titles = [...new Set((known.clashes ?? []).map(clash => clash.with_title))].filter(title => title !== '').sort().slice(0, TITLES_MAX)
      return titles.length === 0 ? ['why.hidden', {}] : ['why.named', { titles: listed(titles.map(title => t('timetable.clash.lesson', { title }, 1)), t) }]
    }
    case 'receiver-limit':
      return [known.may_watch ? 'why.may_watch' : known.interactive ? 'why.interactive' : 'why.watch_only', named]
    case 'stands-on':
      return [`why.${known.what}`, named]
    case 'bad-lines':
      return ['why', { count: known.faults?.length ?? 0 }]
    default:
      return ['why', named]
  }
}

/** The sentence of a field, or of what else decides. */
function variantOf(known: KnownReason, field: string): string {
  return known.reason === 'taught-twice' && known.first === known.taught_as ? 'not_off' : field
}

/** The parameters that are written otherwise in the language of the page. */
function formatted(known: KnownReason, t: Translate, language: string): Named {
  switch (known.reason) {
    case 'out-of-range':
      return { days: known.max / HOURS_PER_DAY }
    case 'criterion-name':
      return { why: reasonWords(known.why, t, language) }
    case 'makes-up-outside':
      return { on: dateName(known.on, language), taught_as: dateName(known.taught_as, language) }
    case 'taught-twice':
      return { taught_as: dateName(known.taught_as, language), first: dateName(known.first, language), second: dateName(known.second, language) }
    case 'periods-overlap':
      return { first: periodName(known.first, t), second: periodName(known.second, t) }
    case 'period-ends-before-it-begins':
    case 'period-twice':
    case 'no-lessons-in':
    case 'planned-twice':
    case 'no-such-period':
      return { period: periodName(known.period, t) }
    case 'figure-too-large': {
      const figure = `figure.${known.figure}`
      return { figure: isSentence(figure) ? t(figure, {}, 1) : known.figure }
    }
    case 'off':
    case 'no-bells':
      return { date: dateName(known.date, language) }
    case 'taken-for':
      return { date: dateName(known.date, language), other: dateName(known.other, language) }
    case 'lessons-stay':
      return { because: reasonWords(known.because as Because, t, language) }
    default:
      return {}
  }
}

function say(t: Translate, path: string, named: Named): string {
  return t(path, named, typeof named.count === 'number' ? named.count : 1)
}

function listed(words: readonly string[], t: Translate): string {
  return words.join(t('timetable.comma', {}, 1))
}

/** The parameters that can stand in a sentence as they are. */
function scalars(params: Record<string, unknown>): Named {
  return Object.fromEntries(Object.entries(params).filter((param): param is [string, string | number] => typeof param[1] === 'string' || typeof param[1] === 'number'))
}

function isKey<Words extends object>(words: Words, key: string): key is Extract<keyof Words, string> {
  return Object.hasOwn(words, key)
}

/** A hub that is newer than the page may say a state or a rule for which the page has no sentence. */
function isSentence(path: string): boolean {
  let words: unknown = zhCN
  for (const part of path.split('.'))
    words = typeof words === 'object' && words !== null && Object.hasOwn(words, part) ? (words as Record<string, unknown>)[part] : undefined
  return typeof words === 'string'
}
