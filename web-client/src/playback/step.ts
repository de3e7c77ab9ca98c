/** What brings the follower back to where the leader is. */
export type Correction
  = | { kind: 'rate', rate: number }
    | { kind: 'seek', toS: number }

/** Below this a viewer sees the hand and hears the chalk at once. */
const LOOSE_S = 0.04
/** A correction runs on until this near, so that it does not flutter at the edge. */
const TIGHT_S = 0.012
/** Farther off than this, creeping back would take longer than a viewer forgives. */
const FAR_S = 0.3
/** A pen that moves this much faster or slower is not noticed. */
const NUDGE = 0.05

/**
 * How a player keeps in step with the one that leads.
 *
 * `rate` is the leader's playback rate; `correcting` tells whether the follower is being nudged already.
 */
export function correct(leaderS: number, followerS: number, rate: number, correcting: boolean): Correction {
  const aheadS = followerS - leaderS
  if (Math.abs(aheadS) > FAR_S)
    return { kind: 'seek', toS: leaderS }
  if (Math.abs(aheadS) <= (correcting ? TIGHT_S : LOOSE_S))
    return { kind: 'rate', rate }
  return { kind: 'rate', rate: rate * (aheadS > 0 ? 1 - NUDGE : 1 + NUDGE) }
}
