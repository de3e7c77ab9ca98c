/**
 * What the line carries, measured over the time in which something was being fetched.
 *
 * One meter for all players of a page: each alone would see only its share.
 */
export class Throughput {
  private spans: { ms: number, bytes: number }[] = []
  private last: { atMs: number, bytes: number, busy: boolean } | null = null

  /** `bytes` counts from the page's beginning; `busy`: something is on its way. Called a few times a second. */
  sample(atMs: number, bytes: number, busy: boolean): void {
    const { last } = this
    this.last = { atMs, bytes, busy }
    // What arrived since the last look arrived in that time, also where it is whole by now.
    if (last === null || !(last.busy || bytes > last.bytes))
      return
    this.spans.push({ ms: Math.max(0, atMs - last.atMs), bytes: Math.max(0, bytes - last.bytes) })
    let kept = this.busyMs
    while (this.spans.length > 1 && kept - (this.spans[0]?.ms ?? 0) >= WINDOW_MS)
      kept -= this.spans.shift()?.ms ?? 0
  }

  /** `null`: too little was fetched to tell. */
  get kbps(): number | null {
    const ms = this.busyMs
    return ms < TELLING_MS ? null : this.spans.reduce((sum, span) => sum + span.bytes, 0) * 8 / ms
  }

  /** The line may have changed: judges anew. */
  forget(): void {
    this.spans = []
  }

  private get busyMs(): number {
    return this.spans.reduce((sum, span) => sum + span.ms, 0)
  }
}

/** Long enough for several segments, short enough to notice that someone else left the line. */
const WINDOW_MS = 15_000
/** Before that a connection still finds its speed. */
const TELLING_MS = 2_000
