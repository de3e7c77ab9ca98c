import type { Shown } from './on-screen'

/** How the lesson arrives, as a classroom's page reports it to the hub over the socket; `null`: not known. */
export interface QualityReport {
  /** Time since the last report, how long of it the lesson was on the screen, and whether it is now. */
  span_ms: number
  shown_ms: number
  shown_last: boolean
  frames_shown: number | null
  frames_dropped: number | null
  visible: boolean
  concealed_share: number | null
  freezes: number | null
  frozen_ms: number | null
  loss: number | null
  rtt_ms: number | null
  jitter_ms: number | null
  buffer_ms: number | null
  width: number | null
  height: number | null
  playing: boolean
}

/** Running totals of one connection, as the browser counts them. */
export interface Totals {
  framesDecoded: number
  framesDropped: number
  freezes: number
  frozenMs: number
  samples: number
  concealedSamples: number
  packetsReceived: number
  packetsLost: number
  rttMs: number | null
  /** Of the voice. */
  jitterMs: number | null
  /** Sum of the jitter-buffer delays of the voice's samples, and the number of samples. */
  waitedMs: number
  waited: number
  /** Size of the largest picture received: the board, where there is one. */
  width: number | null
  height: number | null
}

/** Perceived quality of the line. */
export type LineQuality = 'good' | 'weak'

/** Above this share of lost packets, repairs become visible. */
const WEAK_LOSS = 0.05
/** Above this share of concealed sound, words get lost. */
const WEAK_CONCEALED = 0.08
/** Above this round trip, conversation suffers. */
const WEAK_RTT_MS = 600

export function totalsOf(stats: Iterable<RTCStats>): Totals {
  const totals: Totals = {
    framesDecoded: 0, framesDropped: 0, freezes: 0, frozenMs: 0, samples: 0, concealedSamples: 0,
    packetsReceived: 0, packetsLost: 0, rttMs: null, jitterMs: null, waitedMs: 0, waited: 0, width: null, height: null,
  }
  for (const entry of stats) {
    if (entry.type === 'inbound-rtp') {
      const inbound = entry as RTCInboundRtpStreamStats & { freezeCount?: number, totalFreezesDuration?: number, retransmittedPacketsReceived?: number }
      // A retransmission counts as received while its original stays lost: it is subtracted, or loss would be halved.
      totals.packetsReceived += (inbound.packetsReceived ?? 0) - (inbound.retransmittedPacketsReceived ?? 0)
      // Duplicates can make the browser's figure negative (RFC 3550 §6.4.1).
      totals.packetsLost += Math.max(0, inbound.packetsLost ?? 0)
      totals.framesDecoded += inbound.framesDecoded ?? 0
      totals.framesDropped += inbound.framesDropped ?? 0
      totals.freezes += inbound.freezeCount ?? 0
      totals.frozenMs += (inbound.totalFreezesDuration ?? 0) * 1000
      if (inbound.kind === 'audio') {
        totals.jitterMs = (inbound.jitter ?? 0) * 1000
        totals.waitedMs += (inbound.jitterBufferDelay ?? 0) * 1000
        totals.waited += inbound.jitterBufferEmittedCount ?? 0
      }
      totals.samples += inbound.totalSamplesReceived ?? 0
      totals.concealedSamples += inbound.concealedSamples ?? 0
      const area = (inbound.frameWidth ?? 0) * (inbound.frameHeight ?? 0)
      if (area > (totals.width ?? 0) * (totals.height ?? 0)) {
        totals.width = inbound.frameWidth ?? null
        totals.height = inbound.frameHeight ?? null
      }
    }
    else if (entry.type === 'candidate-pair') {
      const pair = entry as RTCIceCandidatePairStats
      if (pair.nominated && pair.currentRoundTripTime !== undefined)
        totals.rttMs = Math.round(pair.currentRoundTripTime * 1000)
    }
  }
  return totals
}

/** State of the page, which statistics do not contain. */
export interface PageState {
  visible: boolean
  playing: boolean
  shown: Shown
  /** Pictures drawn since the last report. `null`: not supported; decoded pictures are used instead. */
  drawn: number | null
}

/**
 * What happened between two readings of the statistics of one connection.
 *
 * `before` is `null` for the first reading. A new connection counts from zero: a total that fell
 * is then the difference itself.
 */
export function reportBetween(before: Totals | null, after: Totals, page: PageState): QualityReport {
  const grown = (total: (totals: Totals) => number) => {
    const was = before === null ? 0 : total(before)
    const is = total(after)
    return is >= was ? is - was : is
  }
  const samples = grown(totals => totals.samples)
  const lost = grown(totals => totals.packetsLost)
  const packets = lost + grown(totals => totals.packetsReceived)
  const waited = grown(totals => totals.waited)
  return {
    ...page.shown,
    frames_shown: page.drawn ?? Math.max(0, grown(totals => totals.framesDecoded) - grown(totals => totals.framesDropped)),
    frames_dropped: grown(totals => totals.framesDropped),
    visible: page.visible,
    concealed_share: share(grown(totals => totals.concealedSamples), samples),
    freezes: grown(totals => totals.freezes),
    frozen_ms: Math.round(grown(totals => totals.frozenMs)),
    loss: share(lost, packets),
    rtt_ms: after.rttMs,
    jitter_ms: after.jitterMs,
    buffer_ms: waited > 0 ? grown(totals => totals.waitedMs) / waited : null,
    width: after.width,
    height: after.height,
    playing: page.playing,
  }
}

export function judge(report: QualityReport): LineQuality {
  const weak = (report.loss ?? 0) > WEAK_LOSS
    || (report.concealed_share ?? 0) > WEAK_CONCEALED
    || (report.rtt_ms ?? 0) > WEAK_RTT_MS
    || (report.freezes ?? 0) > 0
  return weak ? 'weak' : 'good'
}

function share(part: number, whole: number): number | null {
  return whole > 0 ? Math.min(1, part / whole) : null
}
