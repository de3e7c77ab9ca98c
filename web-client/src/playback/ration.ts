/** State of one track. Tracks are ordered by importance, the clock's own track first. */
export interface Claim {
  /** Buffered seconds. */
  aheadS: number
  /** Nothing more to fetch at the moment. */
  whole: boolean
  /** Bit rate at speed 1. `null`: not known yet. */
  needKbps: number | null
  dropped: boolean
}

export interface Ration {
  fetching: boolean[]
  /** The track to drop now. `null`: none. */
  drop: number | null
  /** The line would carry the dropped tracks again. */
  room: boolean
}

/**
 * Allocates a line: a track with enough buffered lets the next one fetch; what the line cannot carry is dropped
 * from the end: the stage, the camera, then the board; never the voice.
 *
 * `lineKbps`: capacity of the line, `null`: unknown. At double speed everything needs double.
 */
export function ration(claims: readonly Claim[], lineKbps: number | null, speed: number): Ration {
  const fetching: boolean[] = []
  let first = true
  for (const claim of claims) {
    fetching.push(!claim.dropped && first)
    if (!claim.dropped)
      first &&= claim.whole || claim.aheadS >= COMFORT_S * speed
  }
  const kept = claims.filter(claim => !claim.dropped)
  const last = claims.map(claim => claim.dropped).lastIndexOf(false)
  const starving = claims[last]
  const needKbps = needOf(kept, speed)
  const drop = last > 0 && starving !== undefined && !starving.whole && starving.aheadS < STARVING_S * speed
    && lineKbps !== null && needKbps !== null && needKbps > lineKbps
  const all = needOf(claims, speed)
  const room = kept.length < claims.length && lineKbps !== null && all !== null && lineKbps > all * ROOM
  return { fetching: drop ? fetching.map((may, at) => may && at !== last) : fetching, drop: drop ? last : null, room }
}

/** History of attempts to show dropped tracks again. */
export interface Tries {
  /** Since when the line has had room for one more. `null`: it has none. */
  enoughSinceMs: number | null
  /** Time of the last attempt. `null`: none yet, or the last one succeeded. */
  triedAtMs: number | null
  /** Consecutive failed attempts. */
  failed: number
}

export const NO_TRIES: Tries = { enoughSinceMs: null, triedAtMs: null, failed: 0 }

/**
 * Which dropped track to try again automatically: the most important one, once the line has had
 * room for it and all others, with a margin, for long enough. Each failed attempt doubles the wait before
 * the next one. `back` is `null`: none for now.
 */
export function comeBack(before: Tries, nowMs: number, claims: readonly Claim[], lineKbps: number | null, speed: number): { tries: Tries, back: number | null } {
  const lasted = before.triedAtMs !== null && nowMs - before.triedAtMs >= LASTING_MS
  const tries = lasted ? { ...before, triedAtMs: null, failed: 0 } : before
  const back = claims.findIndex(claim => claim.dropped)
  if (back < 0)
    return { tries: { ...tries, enoughSinceMs: null }, back: null }
  const needKbps = needOf(claims.filter((claim, at) => !claim.dropped || at === back), speed)
  if (lineKbps === null || needKbps === null || lineKbps < needKbps * MARGIN)
    return { tries: { ...tries, enoughSinceMs: null }, back: null }
  const enoughSinceMs = tries.enoughSinceMs ?? nowMs
  const waitMs = Math.min(ENOUGH_FOR_MS * 2 ** tries.failed, ENOUGH_FOR_MAX_MS)
  return nowMs - enoughSinceMs < waitMs
    ? { tries: { ...tries, enoughSinceMs }, back: null }
    : { tries: tried(tries, nowMs), back }
}

/** A dropped track is shown again, automatically or by a person. */
export function tried(before: Tries, nowMs: number): Tries {
  return { ...before, enoughSinceMs: null, triedAtMs: nowMs }
}

/** A track was dropped: the last attempt failed, or, much later, the line became worse. */
export function gaveUp(before: Tries, nowMs: number): Tries {
  const { triedAtMs } = before
  // An attempt that costs two pictures counts as one failure.
  const failed = triedAtMs === null ? before.failed : nowMs - triedAtMs < LASTING_MS ? before.failed + 1 : 0
  return { enoughSinceMs: null, triedAtMs: null, failed }
}

/** `null`: the bit rate of one of them is not known yet. */
function needOf(claims: readonly Claim[], speed: number): number | null {
  let sum = 0
  for (const { needKbps } of claims) {
    if (needKbps === null)
      return null
    sum += needKbps * speed
  }
  return sum
}

/** One segment buffered: the next track may fetch. */
const COMFORT_S = 3.5
/** Playback is about to stall. */
const STARVING_S = 2
/** Margin of a third for the coarse estimate. */
const ROOM = 1.33
/** Margin for automatic attempts, so that they do not fail at once: a third, and some for catching up. */
const MARGIN = 1.5
/** Five segments: how long the line must have had room. */
const ENOUGH_FOR_MS = 20_000
/** Longest wait: on a line that never suffices, at most a dozen attempts per hour. */
const ENOUGH_FOR_MAX_MS = 300_000
/** An attempt that lasted longer than any buffer has succeeded. */
const LASTING_MS = 60_000
