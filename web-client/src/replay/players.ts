import Hls from 'hls.js'
import { correct } from './step'

export interface PlayersEvents {
  /** Where the leader is, and how far there is to go; both in seconds. */
  onTime(atS: number, durationS: number): void
  onPlaying(playing: boolean): void
  /** `true`: nothing to show just now, it is being fetched. */
  onWaiting(waiting: boolean): void
  onBroken(broken: boolean): void
}

/** Often enough that a drift of a frame or two never grows. */
const STEP_EVERY_MS = 200
const RETRY_MS = 2_000
/** Paused players stand on the same picture to within half a frame. */
const STANDING_S = 0.02

/**
 * Two videos that are one lesson: the leader carries the voice and the clock, the follower keeps in step.
 *
 * Both tile the lesson's time from 0 without holes, so one currentTime means the same moment in both.
 */
export class SteppedPlayers {
  private readonly sources: Hls[] = []
  private readonly listening = new AbortController()
  private readonly timer: ReturnType<typeof setInterval>
  private readonly retries = new Set<ReturnType<typeof setTimeout>>()
  private correcting = false

  constructor(
    private readonly leader: HTMLVideoElement,
    private readonly follower: HTMLVideoElement | null,
    playlists: { leader: string, follower: string | null },
    startS: number,
    private readonly events: PlayersEvents,
  ) {
    this.load(leader, playlists.leader, startS)
    if (follower && playlists.follower !== null)
      this.load(follower, playlists.follower, startS)

    const on = (name: keyof HTMLMediaElementEventMap, act: () => void) =>
      leader.addEventListener(name, act, { signal: this.listening.signal })
    const tell = () => events.onTime(leader.currentTime, this.durationS)
    on('timeupdate', tell)
    on('durationchange', tell)
    on('seeked', () => this.step())
    on('play', () => events.onPlaying(true))
    on('pause', () => {
      events.onPlaying(false)
      this.step()
    })
    on('waiting', () => {
      events.onWaiting(true)
      follower?.pause()
    })
    on('playing', () => {
      events.onWaiting(false)
      events.onBroken(false)
      this.step()
    })
    on('canplay', () => events.onWaiting(false))
    on('ratechange', () => this.step())
    this.timer = setInterval(() => this.step(), STEP_EVERY_MS)
  }

  /** 0: not known yet. */
  get durationS(): number {
    return Number.isFinite(this.leader.duration) ? this.leader.duration : 0
  }

  /** Resolves to false where the browser wants a gesture first. */
  async play(): Promise<boolean> {
    try {
      await this.leader.play()
      return true
    }
    catch {
      return false
    }
  }

  pause(): void {
    this.leader.pause()
  }

  seek(toS: number): void {
    const at = Math.min(Math.max(0, toS), this.durationS || toS)
    this.leader.currentTime = at
    if (this.follower)
      this.follower.currentTime = at
    this.events.onTime(at, this.durationS)
  }

  setRate(rate: number): void {
    this.leader.playbackRate = rate
  }

  close(): void {
    clearInterval(this.timer)
    this.retries.forEach(clearTimeout)
    this.listening.abort()
    this.sources.forEach(source => source.destroy())
  }

  private step(): void {
    const { leader, follower } = this
    if (!follower || follower.readyState === HTMLMediaElement.HAVE_NOTHING || follower.seeking)
      return
    if (leader.paused || leader.seeking || leader.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) {
      follower.pause()
      if (Math.abs(follower.currentTime - leader.currentTime) > STANDING_S)
        follower.currentTime = leader.currentTime
      return
    }
    const correction = correct(leader.currentTime, follower.currentTime, leader.playbackRate, this.correcting)
    if (correction.kind === 'seek') {
      follower.currentTime = correction.toS
      this.correcting = false
    }
    else {
      this.correcting = correction.rate !== leader.playbackRate
      if (follower.playbackRate !== correction.rate)
        follower.playbackRate = correction.rate
    }
    if (follower.paused && !follower.ended)
      follower.play().catch(() => {})
  }

  private load(video: HTMLVideoElement, playlist: string, startS: number): void {
    if (!Hls.isSupported()) {
      video.src = playlist
      video.currentTime = startS
      return
    }
    const source = new Hls({
      startPosition: startS,
      // Fragments are fMP4 already: there is nothing for a worker to do.
      enableWorker: false,
      backBufferLength: 60,
    })
    source.on(Hls.Events.ERROR, (_, error) => {
      if (!error.fatal)
        return
      this.events.onBroken(true)
      this.later(() => {
        if (error.type === Hls.ErrorTypes.MEDIA_ERROR)
          source.recoverMediaError()
        else if (source.levels.length === 0)
          source.loadSource(playlist)
        else
          source.startLoad()
      })
    })
    source.on(Hls.Events.FRAG_BUFFERED, () => this.events.onBroken(false))
    source.loadSource(playlist)
    source.attachMedia(video)
    this.sources.push(source)
  }

  private later(act: () => void): void {
    const timer = setTimeout(() => {
      this.retries.delete(timer)
      act()
    }, RETRY_MS)
    this.retries.add(timer)
  }
}
