/**
 * The playout delay of a classroom.
 *
 * Half a second of delay costs a watching classroom nothing: repairs and redundant voice arrive in time, which the
 * browser's own short buffer would not wait for. On a clean line the browser decides.
 */
export class PlayoutDelay {
  private lost = 0
  private received = 0
  /** Share of the packets lost, smoothed over some seconds. */
  private loss = 0
  private step = 0
  private calmSinceMs = 0

  /**
   * Takes the connection's counters and its round trip, about once a second.
   * Returns the delay in milliseconds; `null`: the browser's own.
   */
  note(nowMs: number, counters: { lost: number, received: number, roundTripMs: number }): number | null {
    const lost = Math.max(0, counters.lost - this.lost)
    const received = Math.max(0, counters.received - this.received)
    this.lost = counters.lost
    this.received = counters.received
    if (lost + received > 0)
      this.loss += (lost / (lost + received) - this.loss) * SMOOTHING
    const wanted = STEPS.filter(step => this.loss >= step.from).length
    if (wanted >= this.step) {
      this.step = wanted
      this.calmSinceMs = nowMs
    }
    else if (nowMs - this.calmSinceMs >= KEPT_MS) {
      this.step -= 1
      this.calmSinceMs = nowMs
    }
    const step = STEPS[this.step - 1]
    return step === undefined ? null : Math.min(step.base + step.roundTrips * counters.roundTripMs, DELAY_MAX_MS)
  }
}

/** From this share lost on: a fixed wait, and round trips for repairs. Voice comes again 80, 160 and 240 ms later. */
const STEPS = [
  { from: 0.005, base: 80, roundTrips: 1.2 },
  { from: 0.03, base: 140, roundTrips: 1.5 },
  { from: 0.07, base: 220, roundTrips: 1.5 },
  { from: 0.15, base: 300, roundTrips: 2 },
]
const SMOOTHING = 0.35
/** Every change of the delay is audible, so it changes rarely although the loss of rural radio links varies. */
const KEPT_MS = 20_000
const DELAY_MAX_MS = 900
