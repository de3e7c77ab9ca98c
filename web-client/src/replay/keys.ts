/** What a key does in a replay, as in the players that people know. */
export type KeyAct
  = | { kind: 'toggle' | 'mute' | 'fullscreen' | 'swap' | 'help' | 'home' | 'end' }
    /** Seconds to go, backwards if negative. */
    | { kind: 'jump', seconds: number }
    /** Single pictures to go; only while it stands. */
    | { kind: 'frame', pictures: number }
    /** Tenths of the whole. */
    | { kind: 'tenth', tenth: number }
    /** Steps in the list of speeds. */
    | { kind: 'speed', steps: number }

const ACTS: Record<string, KeyAct> = {
  ' ': { kind: 'toggle' },
  'k': { kind: 'toggle' },
  'j': { kind: 'jump', seconds: -10 },
  'l': { kind: 'jump', seconds: 10 },
  'arrowleft': { kind: 'jump', seconds: -5 },
  'arrowright': { kind: 'jump', seconds: 5 },
  'home': { kind: 'home' },
  'end': { kind: 'end' },
  'f': { kind: 'fullscreen' },
  's': { kind: 'swap' },
  'm': { kind: 'mute' },
  ',': { kind: 'frame', pictures: -1 },
  '.': { kind: 'frame', pictures: 1 },
  '<': { kind: 'speed', steps: -1 },
  '>': { kind: 'speed', steps: 1 },
  '?': { kind: 'help' },
}

/** Keys of the help layer, in the order in which they are explained: the name of their words, and the keys. `space` has a name of its own. */
export const EXPLAINED: readonly (readonly [words: string, keys: readonly string[]])[] = [
  ['toggle', ['space', 'K']],
  ['jump10', ['J', 'L']],
  ['jump5', ['←', '→']],
  ['frame', [',', '.']],
  ['tenth', ['0', '–', '9']],
  ['ends', ['Home', 'End']],
  ['speed', ['<', '>']],
  ['swap', ['S']],
  ['mute', ['M']],
  ['fullscreen', ['F']],
  ['help', ['?']],
]

/** `key` as in a keyboard event. `null`: it is not ours. */
export function actOf(key: string): KeyAct | null {
  if (/^\d$/.test(key))
    return { kind: 'tenth', tenth: Number(key) }
  return ACTS[key.toLowerCase()] ?? null
}

/** Whether a key belongs to what has the focus and not to the player. */
export function ownsKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement))
    return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return true
  // The timeline is a range: its arrows are the player's own.
  if (target instanceof HTMLInputElement)
    return target.type !== 'range'
  // An open dialog keeps its keys, but for the one that closes it too.
  if (target.closest('dialog[open]') !== null)
    return key !== '?'
  return (target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement || target.tagName === 'SUMMARY') && (key === ' ' || key === 'Enter')
}
