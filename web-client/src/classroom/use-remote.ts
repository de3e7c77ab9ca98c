import { useEventListener } from '@vueuse/core'

export interface RemoteKeys {
  /** Any key or click. True: it was handled. */
  onAny: () => boolean
}

/** Remote control or keyboard: arrows move the focus, OK activates. */
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
