/** What the page knows at one moment about whether the lesson is on the screen. */
export interface Sight {
  /** The page is in the foreground. */
  visible: boolean
  /** Its sound is on. */
  playing: boolean
  /** Pictures drawn so far. */
  drawn: number
  /** Samples of sound played so far, without concealed ones. */
  heard: number
  /** A camera flows, whose picture always moves. A board may send nothing for long. */
  expectsPicture: boolean
}

/** Fields of the report; see `QualityReport`. */
export interface Shown {
  span_ms: number
  shown_ms: number
  shown_last: boolean
}

/** A picture that has not changed for longer counts as frozen. */
const STILL_MS = 5_000
/** Voice without new samples for longer counts as silent. */
const SILENT_MS = 3_000

/**
 * Keeps account of how long the lesson was on the screen since the last report: in the foreground, its sound on, and a
 * picture drawn, or, where none is to be seen, the voice playing.
 *
 * Takes the time as an argument. Time counts by the state before it, so that nothing is counted in advance.
 */
export class OnScreen {
  private shown = false
  private shownMs = 0
  private updatedMs: number
  private reportedMs: number
  private drawn = { count: 0, atMs: -Infinity }
  private heard = { count: 0, atMs: -Infinity }

  constructor(nowMs: number) {
    this.updatedMs = this.reportedMs = nowMs
  }

  /** True: the lesson has appeared on the screen or left it, which is reported at once. */
  update(nowMs: number, sight: Sight): boolean {
    if (this.shown)
      this.shownMs += Math.max(0, nowMs - this.updatedMs)
    this.updatedMs = nowMs
    if (sight.drawn !== this.drawn.count)
      this.drawn = { count: sight.drawn, atMs: sight.drawn === 0 ? -Infinity : nowMs }
    if (sight.heard !== this.heard.count)
      this.heard = { count: sight.heard, atMs: nowMs }
    const draws = nowMs - this.drawn.atMs < STILL_MS
    const speaks = nowMs - this.heard.atMs < SILENT_MS
    const before = this.shown
    this.shown = sight.visible && sight.playing && (draws || (!sight.expectsPicture && speaks))
    return this.shown !== before
  }

  /** The time since the last report, and resets it. */
  takeReport(nowMs: number): Shown {
    if (this.shown)
      this.shownMs += Math.max(0, nowMs - this.updatedMs)
    const report = { span_ms: Math.max(0, nowMs - this.reportedMs), shown_ms: this.shownMs, shown_last: this.shown }
    this.updatedMs = this.reportedMs = nowMs
    this.shownMs = 0
    return report
  }
}
