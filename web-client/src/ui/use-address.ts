import type { WritableComputedRef } from 'vue'
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

// Written in one turn, both stay: the address itself changes only afterwards.
let coming: Record<string, string | undefined> | null = null

/** One value that is kept in the address, so that a reload or a passed-on link shows the same. Empty: it is left out. */
export function useAddress(name: string, otherwise = ''): WritableComputedRef<string> {
  const route = useRoute()
  const router = useRouter()
  return computed({
    get: () => typeof route.query[name] === 'string' ? route.query[name] : otherwise,
    set: (value) => {
      if (coming === null) {
        coming = {}
        void Promise.resolve().then(() => {
          const query = { ...route.query, ...coming }
          coming = null
          void router.replace({ query: Object.fromEntries(Object.entries(query).filter(([, one]) => one !== undefined)) })
        })
      }
      coming[name] = value === otherwise ? undefined : value
    },
  })
}
