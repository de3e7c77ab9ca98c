/** The library: recordings with their rights, clips, comments, reviews and links; and what embedded lessons play. */
import type { Schema } from './model'
import type { Listed, Query } from './resource'
import { ask } from './http'
import { API, atVersion, idempotent, withQuery } from './resource'

export type Card = Schema['RecordingCard']
export type Counts = Schema['LibraryCounts']
export type FacetCount = Schema['FacetCountView']
export type Licence = Schema['Licence']
export type RightsAct = Schema['RightsAct']
export type Clip = Schema['ClipView']
export type Chapter = Schema['ChapterView']
export type Comment = Schema['CommentView']
export type Rubric = Schema['RubricView']
export type Reviews = Schema['Reviews']
export type Share = Schema['ShareView']
export type Shared = Schema['SharedView']
export type Play = Schema['PlayView']
export type Source = Schema['SourceView']

export const LICENCES: readonly Licence[] = ['all_rights_reserved', 'teaching_only', 'cc_by', 'cc_by_nc', 'cc_by_nc_sa']

const of = (recordingId: string, rest = '') => `${API}/recordings/${encodeURIComponent(recordingId)}${rest}`

export const countRecordings = (query: Query) => ask<Counts>('GET', withQuery(`${API}/recording-counts`, query))
export const readCard = (recordingId: string) => ask<Card>('GET', of(recordingId, '/card'))
export const editCard = (card: Card, edit: Schema['RecordingEdit']) => ask<Card>('PATCH', of(card.recording_id), edit, atVersion(card.version))
export const changeRights = (card: Card, act: RightsAct) => ask<Card>('POST', of(card.recording_id, '/rights'), act, atVersion(card.version))

export const readClips = (recordingId: string) => ask<Listed<Clip>>('GET', of(recordingId, '/clips')).then(list => list.items)
export const cutClip = (recordingId: string, clip: Schema['NewClip']) => ask<Clip>('POST', of(recordingId, '/clips'), clip, idempotent())
export const dropClip = (clip: Clip) => ask<void>('DELETE', `${API}/clips/${encodeURIComponent(clip.clip_id)}`, {}, atVersion(clip.version))
/** The file of a clip: cut without encoding. */
export const clipFile = (clip: Clip, tracks: 'camera' | 'board' | 'both') =>
  withQuery(of(clip.recording_id, '/download'), { tracks, from_ms: clip.from_ms, to_ms: clip.to_ms })

export const readChapters = (recordingId: string) => ask<Listed<Chapter>>('GET', of(recordingId, '/chapters')).then(list => list.items)
export const addMark = (recordingId: string, atMs: number, title: string | null) => ask<unknown>('POST', of(recordingId, '/marks'), { at_ms: atMs, title }, idempotent())

export const readComments = (recordingId: string) => ask<Listed<Comment>>('GET', of(recordingId, '/comments')).then(list => list.items)
export const addComment = (recordingId: string, atMs: number, text: string) => ask<Comment>('POST', of(recordingId, '/comments'), { at_ms: atMs, text }, idempotent())
export const editComment = (recordingId: string, comment: Comment, text: string) =>
  ask<Comment>('PATCH', of(recordingId, `/comments/${encodeURIComponent(comment.comment_id)}`), { text }, atVersion(comment.version))
export const dropComment = (recordingId: string, comment: Comment) =>
  ask<void>('DELETE', of(recordingId, `/comments/${encodeURIComponent(comment.comment_id)}`), {}, atVersion(comment.version))

export const readRubrics = () => ask<Listed<Rubric>>('GET', `${API}/rubrics`).then(list => list.items)
/** A new rubric, or the next revision of one. */
export const keepRubric = (before: Rubric | null, organisationId: string, name: string, criteria: Schema['Criterion'][]) => before === null
  ? ask<Rubric>('POST', `${API}/rubrics`, { organisation_id: organisationId, name, criteria }, idempotent())
  : ask<Rubric>('PUT', `${API}/rubrics/${encodeURIComponent(before.rubric_id)}`, { name, criteria }, atVersion(before.revision))
export const readReviews = (recordingId: string) => ask<Reviews>('GET', of(recordingId, '/reviews'))
export const keepReview = (recordingId: string, review: Schema['NewReview']) => ask<Reviews>('PUT', of(recordingId, '/reviews'), review)

export const readShares = (recordingId: string) => ask<Listed<Share>>('GET', of(recordingId, '/shares')).then(list => list.items)
export const addShare = (recordingId: string, share: Schema['NewShareRequest']) => ask<Share>('POST', of(recordingId, '/shares'), share)
export const revokeShare = (recordingId: string, share: Share) => ask<void>('DELETE', of(recordingId, `/shares/${encodeURIComponent(share.share_id)}`), {})

/** Exchanges the token for a cookie, so that it is in no URL that a log keeps. */
export const openShare = (token: string) => ask<Shared>('POST', `${API}/shared`, { token })
export const readShared = () => ask<Shared>('GET', `${API}/shared`)

export const readSource = (lessonId: string) => ask<Source>('GET', `${API}/lessons/${encodeURIComponent(lessonId)}/source`)
export const chooseSource = (lessonId: string, source: Schema['SourceRequest']) => ask<Source>('PUT', `${API}/lessons/${encodeURIComponent(lessonId)}/source`, source)
/** Starts the source from its beginning in every classroom, or stops it. */
export const playSource = (lessonId: string, playing: boolean) => ask<Source>('PUT', `${API}/lessons/${encodeURIComponent(lessonId)}/source/playing`, { playing })
export const clearSource = (lessonId: string) => ask<void>('DELETE', `${API}/lessons/${encodeURIComponent(lessonId)}/source`, {})
