/** First bound: spreads the reconnects of a county after a restart of the hub. */
const FIRST_MS = 2_000
/** Longest delay before the next try. */
const LONGEST_MS = 10_000
const GROWTH = 1.5

/**
 * Full jitter: anything from nothing to a bound that grows from 2 s to 10 s.
 *
 * `attempt` counts failures in a row from 1. `random` gives 0 ≤ x < 1.
 */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number {
  const bound = Math.min(LONGEST_MS, FIRST_MS * GROWTH ** Math.max(0, attempt - 1))
  return Math.floor(random() * bound)
}
