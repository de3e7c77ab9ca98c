import type { Problem } from '../api/problem'
import type { Listed, Query } from '../api/resource'
import { watchDebounced } from '@vueuse/core'
import { shallowRef } from 'vue'
import { Refused } from '../api/http'
import { forgetIfSignedOut } from '../api/identity'
import { list } from '../api/resource'
import { useLatest } from './use-latest'

export type ListState
  = | { kind: 'loading' }
    | { kind: 'here' }
    | { kind: 'refused', problem: Problem }
    | { kind: 'unreachable' }

/** Requests wait until typing pauses for this long. */
const SETTLED_MS = 250

/** One list of the hub, read a page at a time, and again whenever `what` or `query` changes. */
export function useListed<Item>(what: () => string, query: () => Query) {
  const items = shallowRef<Item[]>([])
  const next = shallowRef<string | null>(null)
  const state = shallowRef<ListState>({ kind: 'loading' })
  const latest = useLatest()

  async function read(after: string | null): Promise<void> {
    const isLatest = latest.begin()
    try {
      const page: Listed<Item> = await list<Item>(what(), { ...query(), after })
      if (!isLatest())
        return
      items.value = after === null ? page.items : [...items.value, ...page.items]
      next.value = page.next ?? null
      state.value = { kind: 'here' }
    }
    catch (error) {
      if (!isLatest())
        return
      forgetIfSignedOut(error)
      state.value = error instanceof Refused ? { kind: 'refused', problem: error.problem } : { kind: 'unreachable' }
    }
  }

  const reload = () => read(null)
  const more = () => next.value === null ? Promise.resolve() : read(next.value)
  watchDebounced(() => JSON.stringify([what(), query()]), reload, { debounce: SETTLED_MS, maxWait: 1_000 })
  void reload()
  return { items, next, state, reload, more }
}
