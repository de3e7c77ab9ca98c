import type { RecordedTrack } from '../api/model'

export interface NamedGap {
  track: string
  reason: string
  fromMs: number
  toMs: number
}

/** The gaps of all tracks in the order of the lesson. */
export function gapsOf(tracks: readonly RecordedTrack[]): NamedGap[] {
  return tracks
    .flatMap(track => track.gaps.map(gap => ({ track: track.kind, reason: gap.reason, fromMs: gap.from_ms, toMs: gap.to_ms })))
    .sort((a, b) => a.fromMs - b.fromMs)
}

/** What plays where: which picture leads, and whether the board needs a player of its own. */
export interface Staging {
  leader: string
  /** `null`: one player shows all there is. */
  follower: string | null
  /** What the leader's picture shows. */
  picture: 'camera' | 'board' | 'none'
}

/** `null`: there is nothing to play yet. */
export function stagingOf(recording: { main_playlist: string | null, board_playlist: string | null, tracks: readonly RecordedTrack[] }): Staging | null {
  const { main_playlist: main, board_playlist: board } = recording
  const has = (kind: string) => recording.tracks.some(track => track.kind === kind)
  if (main === null)
    return board === null ? null : { leader: board, follower: null, picture: 'board' }
  if (has('camera'))
    return { leader: main, follower: board, picture: 'camera' }
  // Without a camera the hub puts the board beside the voice: one player keeps them in step by itself.
  return { leader: main, follower: null, picture: has('board') ? 'board' : 'none' }
}
