/** A stop is detected only after arrivals were steady for this long. */
const EVEN_FOR_MS = 2_000

/** Detects early that something which arrived many times a second has stopped. */
export class Pulse {
  private figure: number | undefined
  private changedAtMs = 0
  private evenSinceMs = 0
  private told = false

  /** `quietMs`: the longest pause of a steady flow. */
  constructor(private readonly quietForMs: number) {}

  /** Takes the newest value, which changes with what arrives. True, once: it has stopped. */
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
