import type { Tries } from './ration'
import type { Staging } from './tracks'
import { comeBack, gaveUp, NO_TRIES, ration, tried } from './ration'
import { correct } from './step'
import { Throughput } from './throughput'
import { TrackPlayer } from './track-player'

export interface PlayersEvents {
  /** Position and duration in seconds. */
  onTime(atS: number, durationS: number): void
  onPlaying(playing: boolean): void
  /** `true`: playback waits for data. */
  onWaiting(waiting: boolean): void
  onBroken(broken: boolean): void
  /** Pictures dropped because the line is too slow; `room`: it would carry them again. */
  onDropped(kinds: string[], room: boolean): void
}

/**
 * Several elements of one lesson: the leader plays the voice and is the clock, the pictures are synchronised to it.
 *
 * All tile the lesson's time from 0 without holes, so one currentTime means the same moment in each. The voice is never
 * bound to a picture: on a line that cannot carry the camera it goes on without it.
 */
export class SteppedPlayers {
  private readonly leader: TrackPlayer
  private readonly followers: TrackPlayer[]
  private readonly correcting = new Set<TrackPlayer>()
  private readonly dropped = new Set<string>()
  private readonly line = new Throughput()
  private readonly listening = new AbortController()
  private readonly timers: ReturnType<typeof setInterval>[]
  private room = false
  private tries: Tries = NO_TRIES
  private speed = 1
  /** Start position until it is reached. `null`: reached. */
  private startS: number | null

  /** `elements` has one for each track of the staging. */
  constructor(staging: Staging, elements: ReadonlyMap<string, HTMLMediaElement>, startS: number, private readonly events: PlayersEvents) {
    this.startS = startS
    const players = [staging.voice, ...staging.pictures].flatMap((track) => {
      const element = track === null ? undefined : elements.get(track.kind)
      if (track === null || element === undefined)
        return []
      const aheadS = track === staging.voice ? VOICE_AHEAD_S : PICTURE_AHEAD_S
      return [new TrackPlayer(track.kind, element, track.playlist, startS, aheadS, (well) => {
        this.events.onBroken(!well)
        this.share()
      }, () => this.measure(performance.now()))]
    })
    const [leader, ...followers] = players
    if (leader === undefined)
      throw new TypeError('a staging has a track')
    this.leader = leader
    this.followers = followers

    const on = (name: keyof HTMLMediaElementEventMap, act: () => void) =>
      leader.element.addEventListener(name, act, { signal: this.listening.signal })
    const report = () => events.onTime(this.atS, this.durationS)
    on('timeupdate', report)
    on('durationchange', report)
    on('seeked', () => this.step())
    on('play', () => events.onPlaying(true))
    on('pause', () => {
      events.onPlaying(false)
      this.step()
    })
    on('waiting', () => {
      events.onWaiting(true)
      this.followers.forEach(follower => follower.element.pause())
    })
    on('playing', () => {
      this.startS = null
      events.onWaiting(false)
      this.step()
    })
    on('canplay', () => events.onWaiting(false))
    on('ratechange', () => this.step())
    this.timers = [setInterval(() => this.step(), STEP_EVERY_MS), setInterval(() => this.share(), SHARE_EVERY_MS)]
    this.share()
  }

  private get atS(): number {
    const { currentTime } = this.leader.element
    // Before the first segment is loaded, an element reports 0.
    if (this.startS !== null && currentTime < this.startS - STANDING_S)
      return this.startS
    this.startS = null
    return currentTime
  }

  /** 0: not known yet. */
  get durationS(): number {
    const { duration } = this.leader.element
    return Number.isFinite(duration) ? duration : this.leader.edgeS
  }

  /** Resolves to false where the browser wants a gesture first. */
  async play(): Promise<boolean> {
    try {
      await this.leader.element.play()
      return true
    }
    catch {
      return false
    }
  }

  pause(): void {
    this.leader.element.pause()
  }

  seek(toS: number): void {
    const at = Math.min(Math.max(0, toS), this.durationS || toS)
    this.startS = null
    for (const player of this.all) {
      if (!this.dropped.has(player.kind))
        player.element.currentTime = at
    }
    this.events.onTime(at, this.durationS)
  }

  setSpeed(speed: number): void {
    this.speed = speed
    this.leader.element.playbackRate = speed
  }

  /** Fetches all dropped pictures again (a person's choice); on a line that is still too slow they are dropped again. */
  restore(): void {
    this.tries = tried(this.tries, performance.now())
    this.bringBack(this.followers)
    this.share()
  }

  close(): void {
    this.timers.forEach(clearInterval)
    this.listening.abort()
    this.all.forEach(player => player.close())
  }

  private bringBack(players: readonly TrackPlayer[]): void {
    this.line.forget()
    for (const player of players) {
      if (this.dropped.delete(player.kind))
        player.resume(this.leader.element.currentTime)
    }
    this.room = false
    this.events.onDropped([...this.dropped], false)
  }

  private get all(): TrackPlayer[] {
    return [this.leader, ...this.followers]
  }

  /** Synchronises the pictures to the voice. */
  private step(): void {
    const lead = this.leader.element
    const runs = !lead.paused && !lead.seeking && lead.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA
    for (const follower of this.followers) {
      const { element } = follower
      if (this.dropped.has(follower.kind) || element.readyState === HTMLMediaElement.HAVE_NOTHING || element.seeking)
        continue
      if (!runs) {
        element.pause()
        if (Math.abs(element.currentTime - lead.currentTime) > STANDING_S)
          element.currentTime = lead.currentTime
        continue
      }
      const correction = correct(lead.currentTime, element.currentTime, lead.playbackRate, this.correcting.has(follower))
      this.correcting.delete(follower)
      if (correction.kind === 'seek') {
        element.currentTime = correction.toS
      }
      else {
        if (correction.rate !== lead.playbackRate)
          this.correcting.add(follower)
        if (element.playbackRate !== correction.rate)
          element.playbackRate = correction.rate
      }
      if (element.paused && !element.ended)
        element.play().catch(() => {})
    }
  }

  private measure(now: number): void {
    const { all } = this
    this.line.sample(now, all.reduce((sum, player) => sum + player.bytes, 0), all.some(player => player.isFetching))
  }

  /** Allocates the line to the tracks. */
  private share(): void {
    const { all } = this
    const now = performance.now()
    this.measure(now)
    const claims = all.map(player => ({
      aheadS: player.aheadS, whole: player.whole, needKbps: player.needKbps, dropped: this.dropped.has(player.kind),
    }))
    const { fetching, drop, room } = ration(claims, this.line.kbps, this.speed)
    all.forEach((player, at) => player.mayFetch(fetching[at] ?? false))
    const given = drop === null ? undefined : all[drop]
    if (given !== undefined) {
      this.tries = gaveUp(this.tries, now)
      this.dropped.add(given.kind)
      given.stop()
    }
    if (given !== undefined || room !== this.room) {
      this.room = room
      this.events.onDropped([...this.dropped], room)
    }
    const { tries, back } = comeBack(this.tries, now, claims, this.line.kbps, this.speed)
    this.tries = tries
    const wanted = back === null ? undefined : all[back]
    if (wanted !== undefined)
      this.bringBack([wanted])
  }
}

/** Interval of synchronisation; keeps the drift below one or two frames. */
const STEP_EVERY_MS = 200
const SHARE_EVERY_MS = 250
/** Tolerance while paused: half a frame. */
const STANDING_S = 0.02
/** A minute of voice costs as much as one or two seconds of pictures, and bridges most outages. */
const VOICE_AHEAD_S = 60
const PICTURE_AHEAD_S = 30
