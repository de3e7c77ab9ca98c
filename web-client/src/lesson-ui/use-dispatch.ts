import type { Clash, DispatchAction } from '../api/dispatch'
import type { Problem } from '../api/problem'
import type { GridLesson } from '../api/timetable'
import { useI18n } from 'vue-i18n'
import { clashesOf, dispatch } from '../api/dispatch'
import { problemOf } from '../api/http'
import { clock } from '../calendar/bells'
import { schoolMinute } from '../calendar/days'
import { nameOf, placeName } from '../console/names'
import { useProblem } from '../ui/problem/use-problem'

/** The hub's answer to an action, as a dry run or carried out. */
export type DispatchVerdict
  = | { kind: 'free' }
    | { kind: 'clash', clashes: Clash[] }
    /** Somebody else has changed the lesson since it was read. */
    | { kind: 'changed' }
    /** `null`: there was no answer. */
    | { kind: 'refused', problem: Problem | null }

/** At most this many names (a teacher and two rooms); the rest is a count. */
const NAMED_MAX = 3

function failed(error: unknown): DispatchVerdict {
  const clashes = clashesOf(error)
  return clashes.length > 0 ? { kind: 'clash', clashes } : { kind: 'refused', problem: problemOf(error) }
}

/** Dispatch actions as dry run and for real, and clashes in words. */
export function useDispatch() {
  const { t } = useI18n()
  const { whyOf } = useProblem()

  async function tryOut(act: DispatchAction): Promise<DispatchVerdict> {
    try {
      const { clashes } = await dispatch(act, true)
      return clashes.length === 0 ? { kind: 'free' } : { kind: 'clash', clashes }
    }
    catch (error) {
      return failed(error)
    }
  }

  /** `seen`: the lesson as it was read; the hub refuses if it was changed since. */
  async function carryOut(act: DispatchAction, seen?: GridLesson): Promise<DispatchVerdict> {
    try {
      await dispatch(act, false, seen?.version)
      return { kind: 'free' }
    }
    catch (error) {
      return problemOf(error)?.status === 412 ? { kind: 'changed' } : failed(error)
    }
  }

  /** One sentence per clashing lesson: title, time, and the shared resources. */
  function clashSentences(clashes: readonly Clash[]): string[] {
    const lessons = new Map<string, Clash[]>()
    for (const clash of clashes)
      lessons.set(clash.with, [...lessons.get(clash.with) ?? [], clash])
    return [...lessons.values()].flatMap((held) => {
      const [first] = held
      if (first === undefined)
        return []
      const time = `${clock(schoolMinute(first.starts_at_ms))}–${clock(schoolMinute(first.ends_at_ms))}`
      const lesson = first.with_title === '' ? t('timetable.clash.hidden') : t('timetable.clash.lesson', { title: first.with_title })
      const whos = [...new Set(held.map(whoWords))].filter(who => who !== '')
      const named = whos.slice(0, NAMED_MAX).join(t('timetable.comma'))
      return t(whos.length > NAMED_MAX ? 'timetable.clash.more' : 'timetable.clash.all', { lesson, time, named, count: whos.length })
    })
  }

  function whoWords(clash: Clash): string {
    switch (clash.resource) {
      case 'teacher': return nameOf('person', clash.resource_id)
      case 'class':
      case 'classroom': return placeName(clash.resource, clash.resource_id)
      default: return t('timetable.clash.device')
    }
  }

  function verdictWords(verdict: DispatchVerdict): string[] {
    switch (verdict.kind) {
      case 'free': return []
      case 'clash': return clashSentences(verdict.clashes)
      case 'changed': return [t('timetable.changedMeanwhile')]
      case 'refused': return [whyOf(verdict.problem, 'fault.unreachable')]
    }
  }

  return { tryOut, carryOut, clashSentences, verdictWords, failed }
}
