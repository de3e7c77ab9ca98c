import type { RecordedTrack } from '../api/model'
import { expect, it } from 'vitest'
import { gapsOf, stagingOf } from './gaps'

const track = (kind: RecordedTrack['kind'], ...gaps: [number, number][]): RecordedTrack => ({
  kind, codec: 'h264', width: null, height: null, starts_at_ms: 0, duration_ms: 1, playlist: '', notes: [], sound: [],
  gaps: gaps.map(([from_ms, to_ms]) => ({ from_ms, to_ms, reason: 'crash' })),
})

it('lists gaps in the order of the lesson', () => {
  expect(gapsOf([track('voice', [5_000, 6_000]), track('board', [1_000, 2_000])]).map(gap => [gap.track, gap.fromMs]))
    .toEqual([['board', 1_000], ['voice', 5_000]])
})

it.each([
  ['camera and board', 'main', 'board', [track('camera'), track('board'), track('voice')], { leader: 'main', follower: 'board', picture: 'camera' }],
  ['no board', 'main', null, [track('camera'), track('voice')], { leader: 'main', follower: null, picture: 'camera' }],
  ['no camera', 'main', 'board', [track('board'), track('voice')], { leader: 'main', follower: null, picture: 'board' }],
  ['a board and nothing else', null, 'board', [track('board')], { leader: 'board', follower: null, picture: 'board' }],
  ['a voice alone', 'main', null, [track('voice')], { leader: 'main', follower: null, picture: 'none' }],
  ['nothing yet', null, null, [], null],
] as const)('stages a recording with %s', (_, main_playlist, board_playlist, tracks, staging) => {
  expect(stagingOf({ main_playlist, board_playlist, tracks })).toEqual(staging)
})
