/** Actions of keys in the replay, as in common players. */
export type KeyAct
  = | { kind: 'toggle' | 'mute' | 'fullscreen' | 'swap' | 'help' | 'home' | 'end' }
    /** Seconds to seek, negative backwards. */
    | { kind: 'jump', seconds: number }
    /** Single pictures to step; only while paused. */
    | { kind: 'frame', pictures: number }
    /** Tenths of the duration. */
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

/** Keys of the help dialog, in order: the key of their text, and the keys. `space` is spelled out. */
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

/** `key` as in a keyboard event. `null`: no action. */
export function actOf(key: string): KeyAct | null {
  if (/^\d$/.test(key))
    return { kind: 'tenth', tenth: Number(key) }
  return ACTS[key.toLowerCase()] ?? null
}

/** Whether the focused element handles this key itself. */
export function ownsKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement))
    return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement)
    return true
  // The timeline is a range input, but its arrow keys belong to the player.
  if (target instanceof HTMLInputElement)
    return target.type !== 'range'
  // An open dialog handles its own keys, except the one that toggles it.
  if (target.closest('dialog[open]') !== null)
    return key !== '?'
  return (target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement || target.tagName === 'SUMMARY') && (key === ' ' || key === 'Enter')
}
