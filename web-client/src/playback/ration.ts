/** How one track stands. They come in the order in which they are missed most, the clock's own track first. */
export interface Claim {
  /** Seconds of the lesson that can be played without another byte. */
  aheadS: number
  /** Nothing more is there to be fetched, now. */
  whole: boolean
  /** What it takes at speed 1. `null`: nothing of it was seen yet. */
  needKbps: number | null
  dropped: boolean
}

export interface Ration {
  fetching: boolean[]
  /** Which one is given up from now on. `null`: none. */
  drop: number | null
  /** The line carries again what was given up. */
  room: boolean
}

/**
 * Shares a line out: who has enough to go on with lets the next one fetch, and what is too much for the line is given
 * up from the end: the stage, the camera, then the board; never the voice.
 *
 * `lineKbps` is what the line carries, `null` where that is not known; at twice the speed everything needs twice as much.
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

/** What is known of earlier tries to show again what was given up. */
export interface Tries {
  /** Since when the line has been enough for one more. `null`: it is not. */
  enoughSinceMs: number | null
  /** When one was tried last. `null`: none yet, or the last one lasted. */
  triedAtMs: number | null
  /** Tries in a row that did not last. */
  failed: number
}

export const NO_TRIES: Tries = { enoughSinceMs: null, triedAtMs: null, failed: 0 }

/**
 * Which track that was given up is to be tried again by itself: the one that is missed most, where the line has been
 * enough for it and all that is kept, with a margin, for long enough. Each try that does not last makes the next one
 * wait twice as long. `back` is `null`: none, for now.
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

/** Something that was given up is shown again, by itself or by hand. */
export function tried(before: Tries, nowMs: number): Tries {
  return { ...before, enoughSinceMs: null, triedAtMs: nowMs }
}

/** Something was given up: what was tried last did not last, or the line became worse much later. */
export function gaveUp(before: Tries, nowMs: number): Tries {
  const { triedAtMs } = before
  // One try that takes two pictures with it has failed once.
  const failed = triedAtMs === null ? before.failed : nowMs - triedAtMs < LASTING_MS ? before.failed + 1 : 0
  return { enoughSinceMs: null, triedAtMs: null, failed }
}

/** `null`: of one of them nothing was seen yet. */
function needOf(claims: readonly Claim[], speed: number): number | null {
  let sum = 0
  for (const { needKbps } of claims) {
    if (needKbps === null)
      return null
    sum += needKbps * speed
  }
  return sum
}

/** A segment: with that in hand, the next track may fetch one too. */
const COMFORT_S = 3.5
/** About to stand still. */
const STARVING_S = 2
/** Estimates of so coarse a thing are to be doubted by a third. */
const ROOM = 1.33
/** What comes back by itself must not be given up again at once: a third of doubt, and something for the way there. */
const MARGIN = 1.5
/** Five segments: a line that is good for so long is not only between two gusts. */
const ENOUGH_FOR_MS = 20_000
/** Somebody who watches for an hour sees a dozen tries at most on a line that never holds. */
const ENOUGH_FOR_MAX_MS = 300_000
/** Longer than all that can be buffered: then it is the line that carries it. */
const LASTING_MS = 60_000
