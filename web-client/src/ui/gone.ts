import type { Problem } from '../api/http'
import { dateName } from '../locale/time'

/** Why something was deleted. */
export interface Gone {
  title: string
  why: string
}

const KINDS: Partial<Record<string, 'recording' | 'report'>> = { '/problems/recording-deleted': 'recording', '/problems/report-deleted': 'report' }

/** Deletions are worded in the page's language, with the day; any other problem in the hub's words. */
export function goneOf({ type, title, detail, gone }: Problem, language: string, t: (key: string, named?: Record<string, unknown>) => string): Gone {
  const kind = KINDS[type]
  if (kind === undefined || gone === undefined)
    return { title, why: detail }
  const why = gone.on == null ? t(`gone.${kind}.going`) : t(`gone.${kind}.${gone.rule}`, { day: dateName(gone.on, language) })
  return { title: t(`gone.${kind}.title`), why }
}
