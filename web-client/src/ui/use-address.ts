import type { WritableComputedRef } from 'vue'
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

// Collects changes of one tick: `route.query` is updated only after the navigation.
let coming: Record<string, string | undefined> | null = null

/** A value kept in the URL's query, so that a reload or a shared link shows the same. The default is left out. */
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
