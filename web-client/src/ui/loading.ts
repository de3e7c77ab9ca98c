import type { Problem } from '../api/problem'
import { problemOf } from '../api/http'
import { forgetIfSignedOut } from '../api/identity'

/** `problem`: why the hub refused; `null`: there was no answer. */
export type Loading = { kind: 'loading' } | { kind: 'here' } | { kind: 'failed', problem: Problem | null }

/** What a page shows in place of what could not be read. */
export function failureOf(error: unknown): Loading {
  forgetIfSignedOut(error)
  return { kind: 'failed', problem: problemOf(error) }
}
