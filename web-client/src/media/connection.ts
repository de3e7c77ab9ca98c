import type { Problem } from '../api/problem'
import type { SdpAnswer } from './resource'
import { retryDelayMs } from '../api/backoff'
import { Refused } from '../api/http'
import { credentialsOf, goesByTcp, withCredentials } from './ladder'
import { Pulse } from './pulse'
import { exchangeSdp } from './resource'

export type LineState
  = | { kind: 'closed' }
    | { kind: 'connecting', attempt: number }
    /** `byTcp`: UDP does not get through, and the packets go by TCP. */
    | { kind: 'up', sinceMs: number, byTcp: boolean }
    | { kind: 'waiting', attempt: number }
    | { kind: 'refused', problem: Problem }

/** The token for WHIP and WHEP. `renew` fetches a new one when the old one is refused. */
export interface Credentials {
  token(): string | null
  renew(): Promise<string>
}

export interface MediaConnectionOptions {
  url(): string
  credentials: Credentials
  /** Adds the transceivers to a new connection, before its offer is made. */
  prepare(peer: RTCPeerConnection): void | Promise<void>
  /** Edits the offer for the hub, where the browser supports more than its offer says. */
  describe?(offer: string): string
  /** After the answer: bit rates, hints. */
  settled?(peer: RTCPeerConnection): void | Promise<void>
  onState(state: LineState): void
  /** Called with the statistics once a second. True: the connection must be replaced. */
  inspect?(stats: RTCStatsReport, nowMs: number): boolean
  /** A value that changes with anything that arrives, sampled many times a second for {@link Pulse}. */
  pulse(peer: RTCPeerConnection): number | Promise<number>
  feelEveryMs: number
  /** Without a change for this long, where it changed steadily before, ICE is restarted. */
  quietMs: number
  /** Keeps a failed connection open until the next one is up, so that its last pictures stay on the screen. */
  lingers: boolean
  /** Nothing received for this long: the connection is dead. */
  silenceMs: number
}

/** Connect timeout; later the answer or the address is stale. */
const UP_WITHIN_MS = 8_000
/** ICE often recovers within a second; after this, a new connection is quicker. */
const DISCONNECTED_MS = 2_000
const INSPECT_EVERY_MS = 1_000
/** Minimum interval of ICE restarts: a browser detects a new network within two seconds. */
const RESTART_EVERY_MS = 3_000
/** While packets go by TCP, interval of attempts to return to UDP by an ICE restart, which does not interrupt media. */
const TRY_UDP_EVERY_MS = 60_000
/** Statuses for which a retry does not help. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([403, 404, 406, 410])

/**
 * One RTCPeerConnection to a WHIP or WHEP endpoint. It restarts ICE when its path breaks, and is replaced
 * when it fails.
 *
 * The ICE restart is local and needs no signalling. A replacement makes a new offer, so it also works after the hub
 * has restarted.
 */
export class MediaConnection {
  private peer: RTCPeerConnection | null = null
  private failed: RTCPeerConnection | null = null
  private session: SdpAnswer | null = null
  private triedUdpAtMs = 0
  private state: LineState = { kind: 'closed' }
  private attempt = 0
  private turn = 0
  private refusedToken = false
  private retry: ReturnType<typeof setTimeout> | undefined
  private patience: ReturnType<typeof setTimeout> | undefined
  private inspection: ReturnType<typeof setInterval> | undefined
  private feeling: ReturnType<typeof setInterval> | undefined
  private readonly onNetwork = () => this.findWay()
  private restartedAtMs = 0
  private heard = { figure: -1, atMs: 0 }

  constructor(private readonly options: MediaConnectionOptions) {}

  open(): void {
    if (this.state.kind === 'closed' || this.state.kind === 'refused')
      void this.connect()
  }

  close(): void {
    this.drop()
    this.forgetFailed()
    this.become({ kind: 'closed' })
  }

  /** Replaces the connection at once; called when the hub is known to have lost it. */
  restart(): void {
    if (this.state.kind === 'closed')
      return
    this.drop()
    void this.connect()
  }

  /** Ends a back-off early: its cause (a lesson not yet live) is gone. */
  nudge(): void {
    if (this.state.kind === 'waiting' || this.state.kind === 'refused')
      this.restart()
  }

  private async connect(): Promise<void> {
    const turn = ++this.turn
    this.become({ kind: 'connecting', attempt: this.attempt })
    // One address for voice and pictures; candidates come from the hub's answer alone, so no STUN server.
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' })
    this.peer = peer
    peer.onconnectionstatechange = () => this.follow(peer)
    try {
      await this.options.prepare(peer)
      await peer.setLocalDescription()
      // Sent without local candidates: the hub learns this side's address from the first connectivity check.
      const token = this.refusedToken ? null : this.options.credentials.token()
      const offer = peer.localDescription?.sdp ?? ''
      const described = this.options.describe?.(offer) ?? offer
      const answer = await exchangeSdp(this.options.url(), token ?? await this.options.credentials.renew(), described)
      this.refusedToken = false
      if (turn !== this.turn) {
        answer.release()
        return
      }
      this.session = answer
      await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdp })
      await this.options.settled?.(peer)
    }
    catch (error) {
      if (turn === this.turn)
        this.fail(error)
      return
    }
    if (turn === this.turn && this.state.kind === 'connecting')
      this.patience = setTimeout(() => this.again(), UP_WITHIN_MS)
  }

  private fail(error: unknown): void {
    if (error instanceof Refused) {
      const refusedTwice = error.status === 401 && this.refusedToken
      this.refusedToken = error.status === 401
      if (refusedTwice || FINAL_STATUSES.has(error.status)) {
        this.drop()
        this.forgetFailed()
        this.become({ kind: 'refused', problem: error.problem })
        return
      }
    }
    this.again()
  }

  private follow(peer: RTCPeerConnection): void {
    if (peer !== this.peer)
      return
    switch (peer.connectionState) {
      case 'connected':
        clearTimeout(this.patience)
        this.forgetFailed()
        this.attempt = 0
        if (this.state.kind !== 'up') {
          this.become({ kind: 'up', sinceMs: Date.now(), byTcp: false })
          this.startInspecting(peer)
        }
        break
      case 'disconnected':
        this.findWay()
        clearTimeout(this.patience)
        this.patience = setTimeout(() => this.again(), DISCONNECTED_MS)
        break
      case 'failed':
        this.again()
        break
    }
  }

  private startInspecting(peer: RTCPeerConnection): void {
    this.heard = { figure: -1, atMs: Date.now() }
    this.triedUdpAtMs = Date.now()
    clearInterval(this.inspection)
    this.inspection = setInterval(() => void this.poll(peer), INSPECT_EVERY_MS)
    const pulse = new Pulse(this.options.quietMs)
    let feels = false
    clearInterval(this.feeling)
    this.feeling = setInterval(() => {
      if (feels)
        return
      feels = true
      void Promise.resolve(this.options.pulse(peer)).then((figure) => {
        if (peer === this.peer && pulse.feel(figure, Date.now()))
          this.findWay()
      }).catch(() => {}).finally(() => feels = false)
    }, this.options.feelEveryMs)
    window.addEventListener('online', this.onNetwork)
    networkInformation()?.addEventListener('change', this.onNetwork)
  }

  private stopInspecting(): void {
    clearInterval(this.inspection)
    clearInterval(this.feeling)
    window.removeEventListener('online', this.onNetwork)
    networkInformation()?.removeEventListener('change', this.onNetwork)
  }

  /**
   * Restarts ICE on this side only. The hub (ICE-lite) answers every check that is signed with its own password, from
   * any address, so no signalling is needed: new sockets over UDP and TCP, and the first path that works is taken.
   * Media are not interrupted where the old path still works.
   */
  private findWay(): void {
    const { peer } = this
    const answer = peer?.remoteDescription?.sdp
    if (peer === null || answer === undefined || peer.signalingState !== 'stable' || this.state.kind !== 'up' || Date.now() - this.restartedAtMs < RESTART_EVERY_MS)
      return
    this.restartedAtMs = Date.now()
    peer.restartIce()
    peer.setLocalDescription()
      .then(() => peer.setRemoteDescription({ type: 'answer', sdp: answer }))
      .catch(() => rollBack(peer))
  }

  private async poll(peer: RTCPeerConnection): Promise<void> {
    const stats = await peer.getStats().catch(() => null)
    if (stats === null || peer !== this.peer || this.state.kind !== 'up')
      return
    const nowMs = Date.now()
    const byTcp = goesByTcp(stats)
    if (byTcp !== this.state.byTcp)
      this.become({ ...this.state, byTcp })
    const figure = heardFigure(stats)
    if (figure !== this.heard.figure)
      this.heard = { figure, atMs: nowMs }
    const silent = nowMs - this.heard.atMs > this.options.silenceMs
    if (this.options.inspect?.(stats, nowMs) || silent)
      this.again()
    else if (nowMs - this.triedUdpAtMs >= TRY_UDP_EVERY_MS && byTcp)
      await this.tryUdp(peer, nowMs)
  }

  /** The old path carries the media until the new one is up; where UDP is still blocked, that is TCP again. */
  private async tryUdp(peer: RTCPeerConnection, nowMs: number): Promise<void> {
    this.triedUdpAtMs = nowMs
    const session = this.session
    if (session === null || peer.signalingState !== 'stable')
      return
    try {
      peer.restartIce()
      await peer.setLocalDescription()
      const fragment = await session.restart(credentialsOf(peer.localDescription?.sdp ?? '') ?? '')
      const sdp = withCredentials(session.sdp, fragment)
      if (sdp === null || peer !== this.peer)
        return
      await peer.setRemoteDescription({ type: 'answer', sdp })
    }
    catch {
      // Keeps the old path. If the hub has lost the session, the connection fails by itself.
      if (peer === this.peer)
        await rollBack(peer)
    }
  }

  private again(): void {
    this.drop()
    this.attempt += 1
    this.become({ kind: 'waiting', attempt: this.attempt })
    this.retry = setTimeout(() => void this.connect(), retryDelayMs(this.attempt))
  }

  private drop(): void {
    this.turn += 1
    clearTimeout(this.retry)
    clearTimeout(this.patience)
    this.stopInspecting()
    const { peer, session } = this
    this.peer = null
    this.session = null
    if (this.options.lingers && this.failed === null && this.state.kind === 'up')
      this.failed = peer
    else
      peer?.close()
    session?.release()
  }

  private forgetFailed(): void {
    this.failed?.close()
    this.failed = null
  }

  private become(state: LineState): void {
    this.state = state
    this.options.onState(state)
  }
}

async function rollBack(peer: RTCPeerConnection): Promise<void> {
  if (peer.signalingState === 'have-local-offer')
    await peer.setLocalDescription({ type: 'rollback' }).catch(() => {})
}

/** Chromium only. */
function networkInformation(): EventTarget | undefined {
  return (navigator as { connection?: EventTarget }).connection
}

/** Grows with anything that comes from the far end: media, feedback, or the answer to a connectivity check. */
export function heardFigure(stats: RTCStatsReport): number {
  let figure = 0
  stats.forEach((entry: RTCStats) => {
    if (entry.type === 'transport')
      figure += (entry as RTCTransportStats).bytesReceived ?? 0
    else if (entry.type === 'candidate-pair')
      figure += heardOnPair(entry as RTCIceCandidatePairStats)
  })
  return figure
}

/** Firefox counts bytes only here, and its consent checks are further apart than a camera's `silenceMs`. */
function heardOnPair(pair: RTCIceCandidatePairStats): number {
  return (pair.bytesReceived ?? 0) + (pair.responsesReceived ?? 0)
}
