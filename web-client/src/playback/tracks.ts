import type { RecordedTrack, RecordingView } from '../api/model'

export type PictureKind = 'board' | 'camera' | 'stage'

export interface StagedTrack {
  kind: RecordedTrack['kind']
  playlist: string
}

export interface StagedPicture extends StagedTrack {
  kind: PictureKind
}

/** The tracks of a replay, each in an element of its own, so that a slow line can leave one out. */
export interface Staging {
  /** `null`: no voice was recorded, the first picture is the clock. */
  voice: StagedTrack | null
  /** By importance: the last one is dropped first. */
  pictures: StagedPicture[]
}

/** The board comes before the camera: it can be understood without the face. */
const PICTURES: readonly PictureKind[] = ['board', 'camera', 'stage']

/** `null`: nothing to play yet. */
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

/** Changes when a track is added, which needs other elements. */
export function stagingKey(staging: Staging): string {
  return [staging.voice, ...staging.pictures].map(track => track?.playlist ?? '').join(' ')
}
