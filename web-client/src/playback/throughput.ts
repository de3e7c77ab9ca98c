/**
 * What the line carries, measured over the time in which something was being fetched.
 *
 * One meter for all players of a page: each alone would see only its share.
 */
export class Throughput {
  private spans: { endMs: number, ms: number, bytes: number }[] = []
  private measuredMs = 0
  private last: { atMs: number, bytes: number, busy: boolean } | null = null

  /**
   * `bytes` counts from the page's beginning; `busy`: something is on its way. Called when that begins and ends, or the
   * line looks slower than it is, and a few times a second.
   */
  sample(atMs: number, bytes: number, busy: boolean): void {
    const { last } = this
    this.last = { atMs, bytes, busy }
    // What arrived since the last look arrived in that time, also where it is whole by now.
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

  /** `null`: too little was fetched to tell. */
  get kbps(): number | null {
    const ms = this.busyMs
    return ms === 0 || this.measuredMs < TELLING_MS ? null : this.spans.reduce((sum, span) => sum + span.bytes, 0) * 8 / ms
  }

  /** The line may have changed: judges anew. */
  forget(): void {
    this.spans = []
    this.measuredMs = 0
  }

  private get busyMs(): number {
    return this.spans.reduce((sum, span) => sum + span.ms, 0)
  }
}

/** Long enough for several segments, short enough to notice that someone else left the line. */
const WINDOW_MS = 15_000
/** A line that became better is idle most of the time: without this, what it was would outlast it for minutes. */
const MEMORY_MS = 20_000
/** Before that a connection still finds its speed. */
const TELLING_MS = 2_000
