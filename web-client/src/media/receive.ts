import type { Credentials, LineState } from './connection'
import { withDependencies } from './codec'
import { MediaConnection } from './connection'
import { PlayoutDelay } from './playout'
import { totalsOf } from './quality'

export type ReceivedSlot = 'voice' | 'board' | 'camera'

/** One stream per slot of one connection. All exist from the start; what flows in them changes. */
export type Reception = Readonly<Record<ReceivedSlot, MediaStream>>

export interface ReceiverOptions {
  url(): string
  /** A guest's token names no seat: the one that its socket was given. `null`: the token names it. */
  guestSeat?(): string | null
  credentials: Credentials
  onState(state: LineState): void
  onReception(reception: Reception): void
  onStats(stats: RTCStatsReport, nowMs: number): void
  /** What the hub says is flowing now. */
  flowing(): Readonly<Record<ReceivedSlot, boolean>>
}

/** A board that does not change may send nothing. */
const STEADY_SLOTS: readonly ReceivedSlot[] = ['voice', 'camera']
const SLOTS: readonly ReceivedSlot[] = ['voice', 'board', 'camera']
/** A flowing slot without a packet for this long: the connection is replaced. */
const STARVED_MS = 6_000
/** Consent checks come back every 2.5 s at the slowest, also when no media flow. */
const SILENCE_MS = 8_000

/**
 * Receives a lesson by WHEP, with one offer of three fixed slots that is never renegotiated.
 *
 * Voice and camera are played by two elements and still keep step: Chromium and Firefox align the two
 * tracks of one msid in their jitter buffers, before any element sees them.
 */
export class WhepReceiver {
  private readonly line: MediaConnection
  private readonly playout = new PlayoutDelay()
  private mids = new Map<ReceivedSlot, RTCRtpTransceiver>()
  private readonly progress = new Map<ReceivedSlot, { packets: number, atMs: number }>()

  constructor(private readonly options: ReceiverOptions) {
    this.line = new MediaConnection({
      url: () => {
        const seat = options.guestSeat?.() ?? null
        return `${options.url()}?slots=${SLOTS.join(',')}${seat === null ? '' : `&seat=${encodeURIComponent(seat)}`}`
      },
      credentials: options.credentials,
      onState: options.onState,
      lingers: true,
      silenceMs: SILENCE_MS,
      prepare: peer => this.prepare(peer),
      settled: () => options.onReception(this.reception()),
      // Much cheaper than getStats().
      pulse: peer => peer.getReceivers().flatMap(receiver => receiver.getSynchronizationSources())
        .reduce((sum, source) => sum + source.timestamp, 0),
      feelEveryMs: 50,
      // Seven voice packets in a row, and every picture meanwhile. False alarms on a bad line cost little.
      quietMs: 150,
      inspect: (stats, nowMs) => {
        options.onStats(stats, nowMs)
        this.setDelay(stats, nowMs)
        return this.isStarved(stats, nowMs)
      },
    })
  }

  start(): void {
    this.line.open()
  }

  restart(): void {
    this.line.restart()
  }

  nudge(): void {
    this.line.nudge()
  }

  close(): void {
    this.line.close()
  }

  private prepare(peer: RTCPeerConnection): void {
    this.progress.clear()
    this.mids = new Map(SLOTS.map(slot => [
      slot,
      withDependencies(peer.addTransceiver(slot === 'voice' ? 'audio' : 'video', { direction: 'recvonly' })),
    ]))
  }

  private reception(): Reception {
    const stream = (slot: ReceivedSlot) => {
      const track = this.mids.get(slot)?.receiver.track
      return new MediaStream(track ? [track] : [])
    }
    return { voice: stream('voice'), board: stream('board'), camera: stream('camera') }
  }

  /** The same delay for voice and pictures keeps them in sync. */
  private setDelay(stats: RTCStatsReport, nowMs: number): void {
    const { packetsLost: lost, packetsReceived: received, rttMs } = totalsOf(stats.values())
    const delay = this.playout.note(nowMs, { lost, received, roundTripMs: rttMs ?? 0 })
    for (const transceiver of this.mids.values()) {
      // Browsers without jitterBufferTarget (older ones, Firefox) use their own delay.
      if ('jitterBufferTarget' in transceiver.receiver)
        transceiver.receiver.jitterBufferTarget = delay
    }
  }

  /** True when voice or camera ought to flow and has brought nothing for {@link STARVED_MS}. */
  private isStarved(stats: RTCStatsReport, nowMs: number): boolean {
    const flowing = this.options.flowing()
    return STEADY_SLOTS.some((slot) => {
      const packets = packetsOf(stats, this.mids.get(slot)?.mid ?? null)
      const before = this.progress.get(slot)
      if (!flowing[slot] || !before || packets !== before.packets) {
        this.progress.set(slot, { packets, atMs: nowMs })
        return false
      }
      return nowMs - before.atMs > STARVED_MS
    })
  }
}

function packetsOf(stats: RTCStatsReport, mid: string | null): number {
  let packets = 0
  stats.forEach((entry: RTCStats) => {
    if (entry.type === 'inbound-rtp' && (entry as RTCInboundRtpStreamStats).mid === mid)
      packets += (entry as RTCInboundRtpStreamStats).packetsReceived ?? 0
  })
  return packets
}
