import type { Listed, Query } from '../api/organisation'
import { watchDebounced } from '@vueuse/core'
import { onScopeDispose, shallowRef } from 'vue'
import { Refused } from '../api/http'
import { forget } from '../api/identity'
import { list } from '../api/organisation'

export type ListState
  = | { kind: 'loading' }
    | { kind: 'here' }
    | { kind: 'refused', detail: string }
    | { kind: 'unreachable' }

/** A person who types is not asked about after every letter. */
const SETTLED_MS = 250

/** One list of the hub, read a page at a time, again whenever what is asked for changes. */
export function useListed<Item>(what: () => string, query: () => Query) {
  const items = shallowRef<Item[]>([])
  const next = shallowRef<string | null>(null)
  const state = shallowRef<ListState>({ kind: 'loading' })
  // Answers may overtake each other: only the one that was asked for last counts.
  let turn = 0

  async function read(after: string | null): Promise<void> {
    const mine = ++turn
    try {
      const page: Listed<Item> = await list<Item>(what(), { ...query(), after })
      if (mine !== turn)
        return
      items.value = after === null ? page.items : [...items.value, ...page.items]
      next.value = page.next ?? null
      state.value = { kind: 'here' }
    }
    catch (error) {
      if (mine !== turn)
        return
      if (error instanceof Refused && error.status === 401)
        forget()
      state.value = error instanceof Refused ? { kind: 'refused', detail: error.message } : { kind: 'unreachable' }
    }
  }

  const reload = () => read(null)
  const more = () => next.value === null ? Promise.resolve() : read(next.value)
  watchDebounced(() => JSON.stringify([what(), query()]), reload, { debounce: SETTLED_MS, maxWait: 1_000 })
  onScopeDispose(() => turn++)
  void reload()
  return { items, next, state, reload, more }
}
