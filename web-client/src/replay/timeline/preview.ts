import type { HlsConfig } from 'hls.js/light'
import Hls from 'hls.js/light'

/**
 * Previews of any moment, made in the page from the recording's own segments: a second, hidden player shows the
 * first picture of the requested segment.
 *
 * Only the newest request is answered.
 */
export class Preview {
  private readonly video = document.createElement('video')
  private hls: Hls | null = null
  private readonly kept = new Map<number, ImageBitmap>()
  private wanted: { atS: number, show: (picture: ImageBitmap) => void } | null = null
  private working = false
  private closed = false

  constructor(private readonly playlist: string) {
    this.video.muted = true
    this.video.playsInline = true
    this.video.preload = 'auto'
  }

  /** Calls `show` as soon as there is a picture of about `atS`; never, where there is none or another one is asked for. */
  ask(atS: number, show: (picture: ImageBitmap) => void): void {
    if (!Hls.isSupported() || this.closed)
      return
    const known = this.kept.get(this.startOf(atS))
    if (known !== undefined) {
      this.wanted = null
      show(known)
      return
    }
    this.wanted = { atS, show }
    if (!this.working)
      void this.work()
  }

  /** Cancels the request. */
  forget(): void {
    this.wanted = null
  }

  close(): void {
    this.closed = true
    this.wanted = null
    this.hls?.destroy()
    this.kept.forEach(picture => picture.close())
    this.kept.clear()
  }

  private async work(): Promise<void> {
    this.working = true
    try {
      // Created on first use, so that those who never preview fetch nothing.
      this.hls ??= await this.open()
      while (this.wanted !== null && !this.closed) {
        const { atS, show } = this.wanted
        const startS = this.startOf(atS)
        const picture = this.kept.get(startS) ?? await this.picture(startS).catch(() => this.pictureAnew(startS))
        if (this.closed)
          return
        this.keep(startS, picture)
        // The request may have changed meanwhile: the newest one is next.
        if (this.wanted?.atS === atS) {
          this.wanted = null
          show(picture)
        }
      }
    }
    catch {
      // No preview.
      this.wanted = null
    }
    finally {
      this.working = false
    }
  }

  /** A hidden player that got stuck is opened once more. */
  private async pictureAnew(startS: number): Promise<ImageBitmap> {
    this.hls?.destroy()
    this.hls = await this.open()
    return this.picture(startS)
  }

  private open(): Promise<Hls> {
    const hls = new Hls(CONFIG)
    return new Promise((resolve, reject) => {
      hls.on(Hls.Events.LEVEL_LOADED, () => resolve(hls))
      hls.on(Hls.Events.ERROR, (_, error) => {
        if (error.fatal)
          reject(error.error)
      })
      hls.loadSource(this.playlist)
      hls.attachMedia(this.video)
    })
  }

  /** Start of the segment that contains `atS`. */
  private startOf(atS: number): number {
    const segments = this.hls?.levels[0]?.details?.fragments ?? []
    return segments.filter(segment => segment.start <= atS).at(-1)?.start ?? 0
  }

  private picture(startS: number): Promise<ImageBitmap> {
    const { video, hls } = this
    return new Promise((resolve, reject) => {
      const over = new AbortController()
      let again: ReturnType<typeof setTimeout> | undefined
      const finish = () => {
        over.abort()
        clearTimeout(patience)
        clearTimeout(again)
      }
      const patience = setTimeout(() => {
        finish()
        reject(new Error('no picture'))
      }, PATIENCE_MS)
      const shown = () => {
        clearTimeout(again)
        if (over.signal.aborted || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.seeking)
          return
        createImageBitmap(video, { resizeWidth: WIDTH, resizeHeight: Math.round(WIDTH * video.videoHeight / video.videoWidth), resizeQuality: 'medium' })
          .then((picture) => {
            finish()
            resolve(picture)
          }, () => {
            // The data is here, but its frame is not decoded yet.
            again = setTimeout(shown, FRAME_MS)
          })
      }
      video.addEventListener('seeked', shown, { signal: over.signal })
      video.addEventListener('loadeddata', shown, { signal: over.signal })
      video.currentTime = startS + INSIDE_S
      hls?.startLoad(startS + INSIDE_S)
    })
  }

  private keep(startS: number, picture: ImageBitmap): void {
    this.kept.set(startS, picture)
    const oldest = this.kept.keys().next()
    if (this.kept.size > KEPT_MAX && !oldest.done) {
      this.kept.get(oldest.value)?.close()
      this.kept.delete(oldest.value)
    }
  }
}

const CONFIG: Partial<HlsConfig> = {
  enableWorker: false,
  autoStartLoad: false,
  // The segment that is asked for, and none of those after it.
  maxBufferLength: 0.1,
  maxMaxBufferLength: 0.1,
  backBufferLength: 0,
}
const WIDTH = 240
/** A lesson of 40 minutes has 600 segments; a picture of this size takes 130 kB. */
const KEPT_MAX = 120
/** No previews on a line where a segment takes longer. */
const PATIENCE_MS = 4_000
/** A frame is decoded within some of these. */
const FRAME_MS = 40
/** Added to the segment's start, so that rounding does not show the end of the previous one. */
const INSIDE_S = 0.02
