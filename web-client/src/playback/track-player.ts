import type { Fragment } from 'hls.js/light'
import Hls from 'hls.js/light'

/**
 * One track of a recording in one media element, fetched by hls.js.
 *
 * Without media source extensions the browser plays the playlist natively, and fetching cannot be controlled.
 */
export class TrackPlayer {
  private readonly hls: Hls | null
  private readonly fetched: { bytes: number, seconds: number }[] = []
  private fetchedBytes = 0
  private onTheWay: Fragment | null = null
  private retry: ReturnType<typeof setTimeout> | undefined
  private stopped = false

  /** Starts at `startS`. `aheadS`: seconds to buffer ahead; `onFetched`: a segment arrived, or failed; `onLine`: a request starts or ends. */
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
      // Fragments are fMP4: no transmuxing, so no worker is needed.
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

  /** Buffered seconds after the position. */
  get aheadS(): number {
    const { buffered, currentTime } = this.element
    for (let at = 0; at < buffered.length; at++) {
      if (buffered.start(at) <= currentTime + SEAM_S && buffered.end(at) > currentTime)
        return buffered.end(at) - currentTime
    }
    return 0
  }

  /** Everything that exists after the position is buffered. */
  get whole(): boolean {
    const edgeS = this.edgeS
    return edgeS > 0 && this.element.currentTime + this.aheadS >= edgeS - SEAM_S
  }

  /** End of the track by its playlist, in seconds. 0: not loaded yet. */
  get edgeS(): number {
    const edge = this.hls?.levels[0]?.details?.edge ?? this.element.duration
    return Number.isFinite(edge) ? edge : 0
  }

  /** Bytes received so far, including unfinished segments. */
  get bytes(): number {
    return this.fetchedBytes + (this.onTheWay?.stats.loaded ?? 0)
  }

  get isFetching(): boolean {
    return this.onTheWay !== null
  }

  /** Bit rate of the last segments at speed 1. `null`: not known yet. */
  get needKbps(): number | null {
    const coming = this.onTheWay
    const all = coming !== null && coming.stats.total > 0 ? [...this.fetched, { bytes: coming.stats.total, seconds: coming.duration }] : this.fetched
    const seconds = all.reduce((sum, segment) => sum + segment.seconds, 0)
    return seconds > 0 ? all.reduce((sum, segment) => sum + segment.bytes, 0) * 8 / 1000 / seconds : null
  }

  /** Allows or stops fetching. A segment under way is finished. */
  mayFetch(may: boolean): void {
    if (may)
      this.hls?.resumeBuffering()
    else
      this.hls?.pauseBuffering()
  }

  /** Aborts fetching at once. */
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

/** Tolerance for rounding at the edges of segments. */
const SEAM_S = 0.25
/** The last segments of the bit-rate estimate, about 15 s, so that one new page on the board does not dominate for long. */
const SEGMENTS_JUDGED = 4
const RETRY_MS = 2_000
