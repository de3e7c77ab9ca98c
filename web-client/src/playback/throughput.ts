/**
 * What the line carries, measured over the time in which something was being fetched.
 *
 * One meter for all players of a page: each one alone would measure only its share.
 */
export class Throughput {
  private spans: { endMs: number, ms: number, bytes: number }[] = []
  private measuredMs = 0
  private last: { atMs: number, bytes: number, busy: boolean } | null = null

  /**
   * `bytes`: total since the page was opened; `busy`: a request is under way. Called when that begins and ends (otherwise the
   * estimate is too low), and a few times a second.
   */
  sample(atMs: number, bytes: number, busy: boolean): void {
    const { last } = this
    this.last = { atMs, bytes, busy }
    // Bytes since the last sample arrived in that time, also if the request has ended by now.
    if (last === null || !(last.busy || bytes > last.bytes))
      return
    const ms = Math.max(0, atMs - last.atMs)
    this.measuredMs += ms
    this.spans.push({ endMs: atMs, ms, bytes: Math.max(0, bytes - last.bytes) })
    let kept = this.busyMs
    for (let first = this.spans[0]; first !== undefined && this.spans.length > 1; first = this.spans[0]) {
      if (kept - first.ms < WINDOW_MS && atMs - first.endMs <= MEMORY_MS)
        break
      kept -= first.ms
      this.spans.shift()
    }
  }

  /** `null`: too little was fetched for an estimate. */
  get kbps(): number | null {
    const ms = this.busyMs
    return ms === 0 || this.measuredMs < TELLING_MS ? null : this.spans.reduce((sum, span) => sum + span.bytes, 0) * 8 / ms
  }

  /** Forgets the samples: the line may have changed. */
  forget(): void {
    this.spans = []
    this.measuredMs = 0
  }

  private get busyMs(): number {
    return this.spans.reduce((sum, span) => sum + span.ms, 0)
  }
}

/** Measuring window: several segments, short enough to notice that other traffic has ended. */
const WINDOW_MS = 15_000
/** Samples expire after this, or on a line that is mostly idle they would hold for minutes. */
const MEMORY_MS = 20_000
/** Warm-up before an estimate is given. */
const TELLING_MS = 2_000
