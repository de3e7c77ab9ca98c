import type { Play } from '../api/library'
import Hls from 'hls.js'
import { follow } from './position'

export interface WindowPlayerEvents {
  /** Where it is, in lesson time of the recording. */
  onTime(atMs: number): void
  onPlaying(playing: boolean): void
  /** `true`: waiting for data, or it could not be fetched. */
  onWaiting(waiting: boolean): void
}

/** Interval of synchronisation; drift stays invisible. */
const STEP_EVERY_MS = 250
const RETRY_MS = 2_000
/** Tolerance of the board while paused: a few frames. */
const STANDING_S = 0.1

/**
 * Plays a window of a recording: one picture with the voice, and the board beside it where there is one.
 *
 * Each playlist begins with its own first segment, so each video has its own origin; outside of this class all times are
 * lesson time.
 */
export class WindowPlayer {
  private readonly sources: Hls[] = []
  private readonly listening = new AbortController()
  private readonly timer: ReturnType<typeof setInterval>
  private readonly retries = new Set<ReturnType<typeof setTimeout>>()

  constructor(
    private readonly main: HTMLVideoElement,
    private readonly board: HTMLVideoElement | null,
    private readonly play: Play,
    private readonly events: WindowPlayerEvents,
    startMs: number = play.from_ms,
  ) {
    if (play.main)
      this.load(main, play.main.path, this.inMain(startMs))
    if (board && play.board)
      this.load(board, play.board.path, Math.max(0, (startMs - play.board.origin_ms) / 1000))
    const on = (name: keyof HTMLMediaElementEventMap, act: () => void) =>
      main.addEventListener(name, act, { signal: this.listening.signal })
    on('play', () => events.onPlaying(true))
    on('pause', () => events.onPlaying(false))
    on('waiting', () => events.onWaiting(true))
    on('playing', () => events.onWaiting(false))
    on('timeupdate', () => this.poll())
    on('seeked', () => this.poll())
    this.timer = setInterval(() => this.step(), STEP_EVERY_MS)
  }

  get atMs(): number {
    return this.main.currentTime * 1000 + (this.play.main?.origin_ms ?? 0)
  }

  /** Resolves to false where the browser wants a gesture first. */
  async begin(): Promise<boolean> {
    try {
      if (this.atMs >= this.play.to_ms)
        this.seek(this.play.from_ms)
      await this.main.play()
      return true
    }
    catch {
      return false
    }
  }

  pause(): void {
    this.main.pause()
  }

  seek(toMs: number): void {
    this.main.currentTime = this.inMain(Math.min(Math.max(toMs, this.play.from_ms), this.play.to_ms))
    this.step()
  }

  /** Synchronises to a clock that others follow, too. */
  follow(lessonMs: number): void {
    const { main } = this
    if (main.seeking || main.readyState === HTMLMediaElement.HAVE_NOTHING)
      return
    const how = follow(lessonMs / 1000, this.atMs / 1000)
    main.playbackRate = how.kind === 'hurry' ? how.rate : 1
    if (how.kind === 'jump')
      this.seek(lessonMs)
  }

  close(): void {
    clearInterval(this.timer)
    this.retries.forEach(clearTimeout)
    this.listening.abort()
    this.sources.forEach(source => source.destroy())
  }

  private inMain(lessonMs: number): number {
    return Math.max(0, (lessonMs - (this.play.main?.origin_ms ?? 0)) / 1000)
  }

  private poll(): void {
    const at = this.atMs
    this.events.onTime(Math.min(Math.max(at, this.play.from_ms), this.play.to_ms))
    if (at >= this.play.to_ms && !this.main.paused)
      this.main.pause()
  }

  private step(): void {
    const { main, board, play } = this
    if (!board || !play.board || board.seeking || board.readyState === HTMLMediaElement.HAVE_NOTHING)
      return
    const wantedS = Math.max(0, (this.atMs - play.board.origin_ms) / 1000)
    const how = follow(wantedS, board.currentTime)
    if (main.paused || main.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) {
      board.pause()
      if (Math.abs(wantedS - board.currentTime) > STANDING_S)
        board.currentTime = wantedS
      return
    }
    if (how.kind === 'jump')
      board.currentTime = how.toS
    board.playbackRate = main.playbackRate * (how.kind === 'hurry' ? how.rate : 1)
    if (board.paused && !board.ended)
      board.play().catch(() => {})
  }

  private load(video: HTMLVideoElement, playlist: string, startS: number): void {
    if (!Hls.isSupported()) {
      video.src = playlist
      video.currentTime = startS
      return
    }
    // Fragments are fMP4: no transmuxing, so no worker is needed.
    const source = new Hls({ startPosition: startS, enableWorker: false, backBufferLength: 60 })
    source.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal)
        return
      this.events.onWaiting(true)
      const timer = setTimeout(() => {
        this.retries.delete(timer)
        if (error.type === Hls.ErrorTypes.MEDIA_ERROR)
          source.recoverMediaError()
        else if (source.levels.length === 0)
          source.loadSource(playlist)
        else
          source.startLoad()
      }, RETRY_MS)
      this.retries.add(timer)
    })
    source.loadSource(playlist)
    source.attachMedia(video)
    this.sources.push(source)
  }
}
