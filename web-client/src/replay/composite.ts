/** Board and camera of a recording in one frame, as the hub makes it. */
import type { Schema } from '../api/model'
import { ask } from '../api/http'

export type Composite = Schema['CompositeView']

const of = (recordingId: string) => `/api/v1/recordings/${encodeURIComponent(recordingId)}/composite`

export const readComposite = (recordingId: string) => ask<Composite>('GET', of(recordingId))
/** Starts making it; the answer reports progress. */
export const makeComposite = (recordingId: string) => ask<Composite>('POST', of(recordingId), {})
export const giveUpComposite = (recordingId: string) => ask<void>('DELETE', of(recordingId))
