/** Lessons outside the weekly plan, changes of planned ones, and who may listen to whom. */
import type { Schema } from './model'
import type { Because } from './problem'
import { ask, Refused } from './http'
import { add, API, idempotent, listAll } from './resource'

export type DispatchAction = Schema['DispatchActionRequest']
/** `why` is of many features, and the document does not list them. */
export type Dispatched = Omit<Schema['Dispatched'], 'left'> & { left: (Omit<Schema['LeftView'], 'why'> & { why: Because })[] }
export type Clash = Schema['ClashView']
export type CancelKind = Schema['CancelKind']

export type Program = Schema['Program']
export type Mode = Schema['Mode']
export type Listening = Schema['ListeningRequest']
/** A form sends every field; the hub also accepts missing optional ones. */
export type NewLesson = Required<Omit<Schema['NewLessonRequest'], 'device_ids' | 'dry_run'>>

export type Standing = Schema['Standing']
export type StandingAct = Schema['StandingAct']
export type Topology = Schema['Topology']
export type Pairing = Schema['PairingView']
export type ListeningRight = Schema['ListeningRightView']

/** A day of a county is moved in seconds. */
const DISPATCH_WITHIN_MS = 60_000

const send = <Answer>(what: string, body: unknown, headers: Record<string, string> = {}) => ask<Answer>('POST', `${API}/${what}`, body, headers, DISPATCH_WITHIN_MS)

/** `version`: of the lesson as it was read; the hub refuses where it was changed since. */
export const dispatch = (act: DispatchAction, dry_run: boolean, version?: number) =>
  send<Dispatched>('dispatch/acts', { act, dry_run }, version === undefined ? {} : { 'if-match': `"v${version}"` })
export const scheduleLesson = (lesson: NewLesson, dry_run: boolean) =>
  send<Dispatched>('dispatch/lessons', { ...lesson, dry_run }, dry_run ? {} : idempotent())

export const readPairings = (term_id: string) => listAll<Pairing>('pairings', { term_id })
export const addPairing = (pairing: Schema['NewPairing']) => add<Pairing>('pairings', pairing)
export const changePairing = (id: string, act: StandingAct) => send<Pairing>(`pairings/${id}/standing`, { act })
export const readRights = (term_id: string) => listAll<ListeningRight>('listening-rights', { term_id })
export const addRight = (right: Schema['NewListeningRight']) => add<ListeningRight>('listening-rights', right)
export const changeRight = (id: string, act: StandingAct) => send<ListeningRight>(`listening-rights/${id}/standing`, { act })

/** The clashes that a refusal names; none where it was refused for another reason. */
export function clashesOf(error: unknown): Clash[] {
  return error instanceof Refused ? (error.problem as { clashes?: Clash[] }).clashes ?? [] : []
}
