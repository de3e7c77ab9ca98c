import type { Clash, Deed, GridLesson } from './wire'
import { useI18n } from 'vue-i18n'
import { Refused } from '../api/http'
import { clock } from './bells'
import { schoolMinute } from './days'
import { clashesOf, dispatch, readGrid } from './hub'
import { nameOf, placeName } from './names'

/** What the hub says to an act, asked dry or done. */
export type Verdict
  = | { kind: 'free' }
    | { kind: 'clash', clashes: Clash[] }
    | { kind: 'refused', detail: string }

export function verdictOf(error: unknown, unreachable: string): Verdict {
  const clashes = clashesOf(error)
  if (clashes.length > 0)
    return { kind: 'clash', clashes }
  return { kind: 'refused', detail: error instanceof Refused ? error.message : unreachable }
}

/** Acts of dispatch, first dry, then done; and clashes in words. */
export function useDispatch() {
  const { t } = useI18n()
  const failed = (error: unknown) => verdictOf(error, t('fault.unreachable'))

  async function tryOut(act: Deed): Promise<Verdict> {
    try {
      const { clashes } = await dispatch(act, true)
      return clashes.length === 0 ? { kind: 'free' } : { kind: 'clash', clashes }
    }
    catch (error) {
      return failed(error)
    }
  }

  /** `seen`: the lessons as they were drawn. What somebody else changed meanwhile is not overwritten. */
  async function carryOut(act: Deed, seen: readonly GridLesson[] = [], at?: { termId: string, week: number }): Promise<Verdict> {
    try {
      if (at !== undefined) {
        for (const lesson of seen) {
          const { lessons } = await readGrid(at.termId, at.week, 'teacher', lesson.teacher_id)
          if (lessons.find(one => one.lesson_id === lesson.lesson_id)?.version !== lesson.version)
            return { kind: 'refused', detail: t('timetable.changedMeanwhile') }
        }
      }
      await dispatch(act, false, seen[0]?.version)
      return { kind: 'free' }
    }
    catch (error) {
      return failed(error)
    }
  }

  function clashWords(clash: Clash): string {
    const who = clash.resource === 'teacher'
      ? nameOf('person', clash.resource_id)
      : clash.resource === 'device' ? '' : placeName(clash.resource, clash.resource_id)
    const time = `${clock(schoolMinute(clash.starts_at_ms))}–${clock(schoolMinute(clash.ends_at_ms))}`
    const lesson = clash.with_title === '' ? t('timetable.clash.hidden') : t('timetable.clash.lesson', { title: clash.with_title })
    return t(`timetable.clash.${clash.resource}`, { who, lesson, time })
  }

  function verdictWords(verdict: Verdict): string[] {
    if (verdict.kind === 'clash')
      return [...new Set(verdict.clashes.map(clashWords))]
    return verdict.kind === 'refused' ? [verdict.detail] : []
  }

  return { tryOut, carryOut, clashWords, verdictWords, failed }
}
