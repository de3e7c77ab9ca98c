import { expect, it } from 'vitest'
import { judge, reportBetween, totalsOf } from './quality'

const shown = { span_ms: 5_000, shown_ms: 5_000, shown_last: true }
const page = { visible: true, playing: true, shown, drawn: null }
const inbound = (fields: object) => ({ id: 'i', timestamp: 0, type: 'inbound-rtp', ...fields }) as RTCStats
const pair = (fields: object) => ({ id: 'p', timestamp: 0, type: 'candidate-pair', ...fields }) as RTCStats

const voice = (packets: number, lost: number, concealed: number) =>
  inbound({ kind: 'audio', packetsReceived: packets, packetsLost: lost, totalSamplesReceived: packets * 960, concealedSamples: concealed, jitter: 0.004, jitterBufferDelay: packets * 960 * 0.08, jitterBufferEmittedCount: packets * 960 })
const board = (frames: number, freezes = 0) =>
  inbound({ kind: 'video', packetsReceived: frames * 5, retransmittedPacketsReceived: frames, packetsLost: 0, framesDecoded: frames, framesDropped: 1, freezeCount: freezes, totalFreezesDuration: freezes * 0.4, frameWidth: 1920, frameHeight: 1080 })
const camera = (frames: number) =>
  inbound({ kind: 'video', packetsReceived: frames * 2, packetsLost: -3, framesDecoded: frames, framesDropped: 0, frameWidth: 640, frameHeight: 360 })

it('counts what happened between two looks', () => {
  const before = totalsOf([voice(100, 0, 0), board(50), camera(100), pair({ nominated: true, currentRoundTripTime: 0.061 })])
  const after = totalsOf([voice(340, 10, 960), board(100, 1), camera(225), pair({ nominated: true, currentRoundTripTime: 0.0614 })])
  expect(reportBetween(before, after, page)).toEqual({
    ...shown,
    frames_shown: 175,
    frames_dropped: 0,
    visible: true,
    concealed_share: 960 / (240 * 960),
    freezes: 1,
    frozen_ms: 400,
    loss: 10 / (10 + 240 + 200 + 250),
    rtt_ms: 61,
    jitter_ms: 4,
    buffer_ms: expect.closeTo(80, 6),
    width: 1920,
    height: 1080,
    playing: true,
  })
})

it('takes the totals of a connection made anew whole', () => {
  const before = totalsOf([board(900)])
  const after = totalsOf([board(30)])
  expect(reportBetween(before, after, page).frames_shown).toBe(30)
  expect(reportBetween(before, after, { ...page, drawn: 12 }).frames_shown).toBe(12)
})

it('knows no share of nothing', () => {
  const report = reportBetween(null, totalsOf([]), page)
  expect(report).toMatchObject({ loss: null, concealed_share: null, rtt_ms: null, width: null, frames_shown: 0, buffer_ms: null })
  expect(judge(report)).toBe('good')
})

it.each([
  [{ loss: 0.06 }, 'weak'],
  [{ loss: 0.04 }, 'good'],
  [{ concealed_share: 0.1 }, 'weak'],
  [{ rtt_ms: 700 }, 'weak'],
  [{ freezes: 1 }, 'weak'],
])('calls a line with %o %s', (fields, verdict) => {
  expect(judge({ ...reportBetween(null, totalsOf([]), page), ...fields })).toBe(verdict)
})
