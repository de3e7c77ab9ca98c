import { onScopeDispose } from 'vue'

/**
 * Answers may overtake each other, and a page may be closed before one comes. `begin` is called before each request; the
 * function that it gives says whether that request is still the latest one of a page that is open.
 */
export function useLatest(): { begin: () => () => boolean } {
  let latest = 0
  onScopeDispose(() => latest++, true)
  return {
    begin() {
      const own = ++latest
      return () => own === latest
    },
  }
}
