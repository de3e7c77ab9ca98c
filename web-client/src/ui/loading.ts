import { Refused } from '../api/http'
import { forgetIfSignedOut } from '../api/identity'

/** `detail`: the hub's own sentence; `null`: there was no answer. */
export type Loading = { kind: 'loading' } | { kind: 'here' } | { kind: 'failed', detail: string | null }

/** What a page shows in place of what could not be read. */
export function failureOf(error: unknown): Loading {
  forgetIfSignedOut(error)
  return { kind: 'failed', detail: error instanceof Refused ? error.message : null }
}
