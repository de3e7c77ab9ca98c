import type { RecordedTrack, RecordingView } from '../api/model'

export type PictureKind = 'board' | 'camera' | 'stage'

export interface StagedTrack {
  kind: RecordedTrack['kind']
  playlist: string
}

export interface StagedPicture extends StagedTrack {
  kind: PictureKind
}

/** What a replay plays: every track in an element of its own, so that a thin line can do without one of them. */
export interface Staging {
  /** `null`: nobody was heard, the first picture is the clock. */
  voice: StagedTrack | null
  /** In the order in which they are missed most: what stands last is given up first. */
  pictures: StagedPicture[]
}

/** A slide can be read without the face, a face says little without the slide. */
const PICTURES: readonly PictureKind[] = ['board', 'camera', 'stage']

/** `null`: there is nothing to play yet. */
export function stagingOf(recording: Pick<RecordingView, 'tracks'>): Staging | null {
  const staged = <Kind extends RecordedTrack['kind']>(kind: Kind): { kind: Kind, playlist: string } | null => {
    const playlist = recording.tracks.find(track => track.kind === kind)?.playlist
    return playlist == null ? null : { kind, playlist }
  }
  // Where a class was on stage, teacher and stage are one voice.
  const voice = staged('mixed_voice') ?? staged('voice') ?? staged('stage_voice')
  const pictures = PICTURES.map(staged).filter(picture => picture !== null)
  return voice === null && pictures.length === 0 ? null : { voice, pictures }
}

/** Changes when a track joins: then other elements are needed. */
export function stagingKey(staging: Staging): string {
  return [staging.voice, ...staging.pictures].map(track => track?.playlist ?? '').join(' ')
}
