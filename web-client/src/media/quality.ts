import type { Shown } from './on-screen'

/** How the lesson arrives, as a classroom's page reports it to the hub over the socket; `null`: not known. */
export interface QualityReport {
  /** Since the last report; and for how long of that the lesson was on the screen, and whether it is now. */
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
  /** How long samples of the voice waited in the browser, all together; and how many there were. */
  waitedMs: number
  waited: number
  /** The larger picture of those that flow: the board, where there is one. */
  width: number | null
  height: number | null
}

/** How the line feels to who watches it. */
export type LineQuality = 'good' | 'weak'

/** Above this share of lost packets, repair begins to show. */
const WEAK_LOSS = 0.05
/** Above this share of invented sound, words get lost. */
const WEAK_CONCEALED = 0.08
/** Above this, an answer from the class comes into the next sentence. */
const WEAK_RTT_MS = 600

export function totalsOf(stats: Iterable<RTCStats>): Totals {
  const totals: Totals = {
    framesDecoded: 0, framesDropped: 0, freezes: 0, frozenMs: 0, samples: 0, concealedSamples: 0,
    packetsReceived: 0, packetsLost: 0, rttMs: null, jitterMs: null, waitedMs: 0, waited: 0, width: null, height: null,
  }
  for (const entry of stats) {
    if (entry.type === 'inbound-rtp') {
      const inbound = entry as RTCInboundRtpStreamStats & { freezeCount?: number, totalFreezesDuration?: number, retransmittedPacketsReceived?: number }
      // A repair is counted as received, what it repairs stays lost: both would make half of a loss.
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

/** What the page itself knows. */
export interface PageState {
  visible: boolean
  playing: boolean
  shown: Shown
  /** Pictures put on the screen since the last report. `null`: this browser cannot tell, and what was decoded must do. */
  drawn: number | null
}

/**
 * What happened between two looks at the same connection.
 *
 * `before` is `null` for the first look. A connection made anew counts from zero: a total that fell
 * is then taken whole.
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
