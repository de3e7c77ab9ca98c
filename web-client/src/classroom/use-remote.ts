import { useEventListener } from '@vueuse/core'

export interface RemoteKeys {
  /** Any key or click at all. True: it was used up. */
  onAny: () => boolean
}

/** A classroom has a remote control or a keyboard at arm's length: arrows move, OK does. */
export function useRemote({ onAny }: RemoteKeys): void {
  useEventListener(window, 'keydown', (event) => {
    if (onAny()) {
      event.preventDefault()
      return
    }
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key]
    if (step !== undefined) {
      moveFocus(step)
      event.preventDefault()
    }
  })
  useEventListener(window, 'pointerdown', () => void onAny())
}

function moveFocus(step: number): void {
  const actions = [...document.querySelectorAll<HTMLElement>('[data-action]')]
  const here = actions.findIndex(action => action === document.activeElement)
  const next = here < 0 ? 0 : (here + step + actions.length) % actions.length
  actions[next]?.focus()
}
