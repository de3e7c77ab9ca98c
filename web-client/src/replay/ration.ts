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
