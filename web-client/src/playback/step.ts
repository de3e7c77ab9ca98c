/** Correction that brings a follower back to the leader's position. */
export type Correction
  = | { kind: 'rate', rate: number }
    | { kind: 'seek', toS: number }

/** Tolerated drift: below this, picture and sound seem simultaneous. */
const LOOSE_S = 0.04
/** Hysteresis: a correction runs until the drift is this small. */
const TIGHT_S = 0.012
/** Above this drift it seeks: changing the speed would take too long. */
const FAR_S = 0.3
/** Change of speed of a correction; not noticeable. */
const NUDGE = 0.05

/**
 * How a player keeps in step with the one that leads.
 *
 * `rate` is the leader's playback rate; `correcting`: a correction is under way.
 */
export function correct(leaderS: number, followerS: number, rate: number, correcting: boolean): Correction {
  const aheadS = followerS - leaderS
  if (Math.abs(aheadS) > FAR_S)
    return { kind: 'seek', toS: leaderS }
  if (Math.abs(aheadS) <= (correcting ? TIGHT_S : LOOSE_S))
    return { kind: 'rate', rate }
  return { kind: 'rate', rate: rate * (aheadS > 0 ? 1 - NUDGE : 1 + NUDGE) }
}
