import type { RecordedTrack } from '../api/model'
import { expect, it } from 'vitest'
import { stagingKey, stagingOf } from './tracks'

const track = (kind: RecordedTrack['kind'], playlist: string | null = `${kind}.m3u8`): RecordedTrack => ({
  kind, codec: 'h264', width: null, height: null, starts_at_ms: 0, duration_ms: 1, playlist, notes: [], sound: [], loudness: null, gaps: [],
})

it.each([
  ['everything', ['camera', 'stage', 'board', 'voice', 'stage_voice'], 'voice', ['board', 'camera', 'stage']],
  ['a stage that was kept', ['camera', 'voice', 'stage_voice', 'mixed_voice'], 'mixed_voice', ['camera']],
  ['no board', ['camera', 'voice'], 'voice', ['camera']],
  ['no camera', ['board', 'voice'], 'voice', ['board']],
  ['a board and nothing else', ['board'], undefined, ['board']],
  ['a voice alone', ['voice'], 'voice', []],
] as const)('stages a recording with %s', (_, kinds, voice, pictures) => {
  const staging = stagingOf({ tracks: kinds.map(kind => track(kind)) })
  expect(staging?.voice?.kind).toBe(voice)
  expect(staging?.pictures.map(picture => picture.kind)).toEqual(pictures)
})

it('plays nothing of which nothing was kept', () => {
  expect(stagingOf({ tracks: [] })).toBeNull()
  expect(stagingOf({ tracks: [track('camera', null)] })).toBeNull()
})

it('is staged anew when a track joins, and only then', () => {
  const key = (...kinds: RecordedTrack['kind'][]) => {
    const staging = stagingOf({ tracks: kinds.map(kind => track(kind)) })
    return staging === null ? null : stagingKey(staging)
  }
  expect(key('camera', 'voice')).toBe(key('voice', 'camera'))
  expect(key('camera', 'voice')).not.toBe(key('board', 'voice', 'camera'))
})
