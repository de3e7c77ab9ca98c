import type { Fragment } from 'hls.js/light'
import Hls from 'hls.js/light'

/**
 * One track of a recording in one media element, fetched by hls.js.
 *
 * Where the browser has no media source extensions it plays the playlist itself, and nothing can be held back.
 */
export class TrackPlayer {
  private readonly hls: Hls | null
  private readonly fetched: { bytes: number, seconds: number }[] = []
  private fetchedBytes = 0
  private onTheWay: Fragment | null = null
  private retry: ReturnType<typeof setTimeout> | undefined
  private stopped = false

  /** Begins at `startS`. `aheadS` is how much is fetched beforehand; `onFetched` is told of each segment, or that there is trouble; `onLine` when a segment begins or ends to come over the line. */
  constructor(
    readonly kind: string,
    readonly element: HTMLMediaElement,
    private readonly playlist: string,
    startS: number,
    aheadS: number,
    onFetched: (well: boolean) => void,
    onLine: () => void,
  ) {
    if (!Hls.isSupported()) {
      this.hls = null
      element.src = playlist
      element.currentTime = startS
      return
    }
    const hls = new Hls({
      startPosition: startS,
      // Fragments are fMP4 already: there is nothing for a worker to do.
      enableWorker: false,
      backBufferLength: 60,
      maxBufferLength: aheadS,
      maxMaxBufferLength: aheadS,
    })
    this.hls = hls
    hls.on(Hls.Events.FRAG_LOADING, (_, { frag }) => {
      this.onTheWay = frag
      onLine()
    })
    hls.on(Hls.Events.FRAG_LOADED, (_, { frag }) => {
      this.keep(frag)
      onLine()
    })
    hls.on(Hls.Events.FRAG_LOAD_EMERGENCY_ABORTED, (_, { frag }) => this.keep(frag))
    hls.on(Hls.Events.FRAG_BUFFERED, () => onFetched(true))
    hls.on(Hls.Events.ERROR, (_, error) => {
      if (error.frag !== undefined && error.frag === this.onTheWay)
        this.keep(error.frag)
      if (error.fatal) {
        onFetched(false)
        this.tryAgain(error.type === Hls.ErrorTypes.MEDIA_ERROR)
      }
    })
    hls.loadSource(playlist)
    hls.attachMedia(element)
  }

  /** Seconds that can be played from here without another byte. */
  get aheadS(): number {
    const { buffered, currentTime } = this.element
    for (let at = 0; at < buffered.length; at++) {
      if (buffered.start(at) <= currentTime + SEAM_S && buffered.end(at) > currentTime)
        return buffered.end(at) - currentTime
    }
    return 0
  }

  /** Everything is here that there is after this point, now. */
  get whole(): boolean {
    const edgeS = this.edgeS
    return edgeS > 0 && this.element.currentTime + this.aheadS >= edgeS - SEAM_S
  }

  /** Where the track ends, so far as its playlist tells. 0: it was not read yet. */
  get edgeS(): number {
    const edge = this.hls?.levels[0]?.details?.edge ?? this.element.duration
    return Number.isFinite(edge) ? edge : 0
  }

  /** What came over the line so far, also of what is still on its way. */
  get bytes(): number {
    return this.fetchedBytes + (this.onTheWay?.stats.loaded ?? 0)
  }

  get isFetching(): boolean {
    return this.onTheWay !== null
  }

  /** What the last segments took at speed 1. `null`: nothing was seen yet. */
  get needKbps(): number | null {
    const coming = this.onTheWay
    const all = coming !== null && coming.stats.total > 0 ? [...this.fetched, { bytes: coming.stats.total, seconds: coming.duration }] : this.fetched
    const seconds = all.reduce((sum, segment) => sum + segment.seconds, 0)
    return seconds > 0 ? all.reduce((sum, segment) => sum + segment.bytes, 0) * 8 / 1000 / seconds : null
  }

  /** Whether the next segments may be fetched. What is half here is fetched to its end. */
  mayFetch(may: boolean): void {
    if (may)
      this.hls?.resumeBuffering()
    else
      this.hls?.pauseBuffering()
  }

  /** Lets go of the line at once. */
  stop(): void {
    if (this.stopped)
      return
    this.stopped = true
    this.hls?.stopLoad()
    if (this.onTheWay !== null)
      this.keep(this.onTheWay)
    this.element.pause()
  }

  /** Goes on at `atS`. */
  resume(atS: number): void {
    if (!this.stopped)
      return
    this.stopped = false
    this.element.currentTime = atS
    this.hls?.startLoad(atS)
  }

  close(): void {
    clearTimeout(this.retry)
    this.hls?.destroy()
    if (this.hls === null)
      this.element.removeAttribute('src')
  }

  private keep(frag: Fragment): void {
    this.fetchedBytes += frag.stats.loaded
    if (frag.sn !== 'initSegment' && frag.stats.total > 0 && frag.duration > 0) {
      this.fetched.push({ bytes: frag.stats.total, seconds: frag.duration })
      if (this.fetched.length > SEGMENTS_JUDGED)
        this.fetched.shift()
    }
    if (this.onTheWay === frag)
      this.onTheWay = null
  }

  private tryAgain(undecodable: boolean): void {
    clearTimeout(this.retry)
    this.retry = setTimeout(() => {
      if (this.hls === null || this.stopped)
        return
      if (undecodable)
        this.hls.recoverMediaError()
      else if (this.hls.levels.length === 0)
        this.hls.loadSource(this.playlist)
      else
        this.hls.startLoad()
    }, RETRY_MS)
  }
}

/** Rounding at a segment's edge is no hole. */
const SEAM_S = 0.25
/** A quarter of a minute: a new page on the board is seen, and forgotten again. */
const SEGMENTS_JUDGED = 4
const RETRY_MS = 2_000
