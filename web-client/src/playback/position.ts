/** Synchronises a player to a position that others follow. */

/** Tolerated drift: not visible, and slow PCs cannot do better. */
const STEADY_S = 0.25
/** Above this drift a seek disturbs less than playing faster for minutes. */
const JUMP_S = 2
/** Browsers preserve pitch; a change of speed by a tenth is hardly audible. */
const HURRY = 0.1

export type Follow = { kind: 'steady' } | { kind: 'hurry', rate: number } | { kind: 'jump', toS: number }

/** How a player at `atS` reaches the lesson's position. */
export function follow(lessonS: number, atS: number): Follow {
  const behindS = lessonS - atS
  if (Math.abs(behindS) <= STEADY_S)
    return { kind: 'steady' }
  if (Math.abs(behindS) > JUMP_S)
    return { kind: 'jump', toS: lessonS }
  return { kind: 'hurry', rate: behindS > 0 ? 1 + HURRY : 1 - HURRY }
}

/** Parses 3:07 or 1:03:07; `null`: not a time. */
export function readTime(text: string): number | null {
  const parts = text.trim().split(/[:：]/)
  if (parts.length > 3 || parts.some(part => !/^\d{1,3}(?:\.\d{1,3})?$/.test(part)))
    return null
  return Math.round(parts.reduce((sum, part) => sum * 60 + Number(part), 0) * 1000)
}

/** 3:07.5, to a tenth of a second: a clip's points. */
export function pointTime(ms: number): string {
  const tenths = Math.max(0, Math.round(ms / 100))
  const seconds = Math.floor(tenths / 10)
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const two = (count: number) => String(count).padStart(2, '0')
  const tail = `${hours > 0 ? two(minutes) : minutes}:${two(seconds % 60)}.${tenths % 10}`
  return hours > 0 ? `${hours}:${tail}` : tail
}
