import { expect, it } from 'vitest'
import { judge, reportBetween, totalsOf } from './quality'

const page = { visible: true, playing: true }
const inbound = (fields: object) => ({ id: 'i', timestamp: 0, type: 'inbound-rtp', ...fields }) as RTCStats
const pair = (fields: object) => ({ id: 'p', timestamp: 0, type: 'candidate-pair', ...fields }) as RTCStats

const voice = (packets: number, lost: number, concealed: number) =>
  inbound({ kind: 'audio', packetsReceived: packets, packetsLost: lost, totalSamplesReceived: packets * 960, concealedSamples: concealed })
const board = (frames: number, freezes = 0) =>
  inbound({ kind: 'video', packetsReceived: frames * 4, packetsLost: 0, framesDecoded: frames, framesDropped: 1, freezeCount: freezes, frameWidth: 1920, frameHeight: 1080 })
const camera = (frames: number) =>
  inbound({ kind: 'video', packetsReceived: frames * 2, packetsLost: -3, framesDecoded: frames, framesDropped: 0, frameWidth: 640, frameHeight: 360 })

it('counts what happened between two looks', () => {
  const before = totalsOf([voice(100, 0, 0), board(50), camera(100), pair({ nominated: true, currentRoundTripTime: 0.061 })])
  const after = totalsOf([voice(340, 10, 960), board(100, 1), camera(225), pair({ nominated: true, currentRoundTripTime: 0.0614 })])
  expect(reportBetween(before, after, page)).toEqual({
    frames_shown: 175,
    visible: true,
    concealed_share: 960 / (240 * 960),
    freezes: 1,
    loss: 10 / (10 + 240 + 200 + 250),
    rtt_ms: 61,
    width: 1920,
    height: 1080,
    playing: true,
  })
})

it('takes the totals of a connection made anew whole', () => {
  const before = totalsOf([board(900)])
  const after = totalsOf([board(30)])
  expect(reportBetween(before, after, page).frames_shown).toBe(30)
})

it('knows no share of nothing', () => {
  const report = reportBetween(null, totalsOf([]), page)
  expect(report).toMatchObject({ loss: null, concealed_share: null, rtt_ms: null, width: null, frames_shown: 0 })
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
