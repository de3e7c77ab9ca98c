import type { RecordedTrack } from '../../api/model'

/** A span that was not recorded, listed once for all tracks that it affected together. */
export interface NamedGap {
  tracks: RecordedTrack['kind'][]
  reason: RecordedTrack['gaps'][number]['reason']
  fromMs: number
  toMs: number
}

/** One outage ends for voice and pictures at their own next packet or key frame. */
const TOGETHER_MS = 5_000

/** A camera always starts a moment after the lesson: shorter gaps at the start are ignored. */
const WORTH_A_WORD_MS = 1_500

/** The gaps of all tracks in the order of the lesson; those that begin and end together are one. */
export function gapsOf(tracks: readonly Pick<RecordedTrack, 'kind' | 'gaps'>[]): NamedGap[] {
  const single = tracks
    .flatMap(track => track.gaps.filter(gap => !isPlanned(gap) || gap.to_ms - gap.from_ms >= WORTH_A_WORD_MS).map(gap => ({ kind: track.kind, reason: gap.reason, fromMs: gap.from_ms, toMs: gap.to_ms })))
    .sort((a, b) => a.fromMs - b.fromMs)
  const joined: NamedGap[] = []
  for (const { kind, reason, fromMs, toMs } of single) {
    const same = joined.find(gap => gap.reason === reason && !gap.tracks.includes(kind)
      && Math.abs(gap.fromMs - fromMs) <= TOGETHER_MS && Math.abs(gap.toMs - toMs) <= TOGETHER_MS)
    if (same === undefined) {
      joined.push({ tracks: [kind], reason, fromMs, toMs })
    }
    else {
      same.tracks.push(kind)
      same.fromMs = Math.min(same.fromMs, fromMs)
      same.toMs = Math.max(same.toMs, toMs)
    }
  }
  return joined
}

/** Not a loss: the teacher showed no board or had the camera off. */
const PLANNED: ReadonlySet<string> = new Set(['not_started', 'away', 'silent'])

export function isPlanned(gap: { reason: string }): boolean {
  return PLANNED.has(gap.reason)
}
