/** Zero of the meter; a quiet classroom is near -50 dB. */
const FLOOR_DB = -60
const READ_EVERY_MS = 66

/** Measures the level of a microphone, from 0 (silence) to 1 (full scale). */
export class LevelMeter {
  private readonly context = new AudioContext()
  private readonly analyser = this.context.createAnalyser()
  private readonly samples = new Float32Array(1024)
  private source: MediaStreamAudioSourceNode | null = null
  private readonly timer: ReturnType<typeof setInterval>

  private readonly wake = () => void this.context.resume().catch(() => {})

  constructor(onLevel: (level: number) => void) {
    this.analyser.fftSize = this.samples.length
    window.addEventListener('pointerdown', this.wake)
    window.addEventListener('keydown', this.wake)
    this.timer = setInterval(() => {
      this.analyser.getFloatTimeDomainData(this.samples)
      onLevel(this.source === null ? 0 : levelOf(this.samples))
    }, READ_EVERY_MS)
  }

  listen(track: MediaStreamTrack | null): void {
    this.source?.disconnect()
    this.source = track === null ? null : this.context.createMediaStreamSource(new MediaStream([track]))
    this.source?.connect(this.analyser)
    // The browser may suspend the context until a user gesture; the meter then starts with the first click.
    this.wake()
  }

  close(): void {
    clearInterval(this.timer)
    window.removeEventListener('pointerdown', this.wake)
    window.removeEventListener('keydown', this.wake)
    this.source?.disconnect()
    void this.context.close()
  }
}

export function levelOf(samples: Float32Array): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length
  const db = 10 * Math.log10(power + Number.EPSILON)
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB))
}
