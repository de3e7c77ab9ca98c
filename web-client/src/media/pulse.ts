/** Only what has come evenly for this long is missed when it stops. */
const EVEN_FOR_MS = 2_000

/** Notices that what came many times a second has stopped coming, before anything else does. */
export class Pulse {
  private figure: number | undefined
  private changedAtMs = 0
  private evenSinceMs = 0
  private told = false

  /** What has come evenly may stay away for `quietMs` at most. */
  constructor(private readonly quietForMs: number) {}

  /** Takes the newest figure, which changes with what arrives. True, once: it has stopped. */
  feel(figure: number, nowMs: number): boolean {
    const quietMs = nowMs - this.changedAtMs
    if (figure !== this.figure) {
      if (this.figure === undefined || quietMs >= this.quietForMs)
        this.evenSinceMs = nowMs
      this.figure = figure
      this.changedAtMs = nowMs
      this.told = false
      return false
    }
    if (this.told || quietMs < this.quietForMs || this.changedAtMs - this.evenSinceMs < EVEN_FOR_MS)
      return false
    this.told = true
    return true
  }
}
