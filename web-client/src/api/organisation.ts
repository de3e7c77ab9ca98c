/** Places, people, devices and their audit, as the console asks the hub for them. */
import type { Me } from './model'
import type { components } from './schema'
import { ask, sendFile } from './http'

type Schema = components['schemas']

export type OrganisationKind = Schema['OrganisationKind']
export type SchoolStage = Schema['Stage']
export type Outcome = Schema['Outcome']

export type Organisation = Schema['KeptOrganisation']
export type Classroom = Schema['KeptClassroom']
export type SchoolClass = Schema['KeptClass']
export type Person = Schema['KeptPerson']
export type RoleGrant = Schema['KeptGrant']
export type Device = Schema['KeptDevice']
export type Session = Schema['KeptSession']
export type AuditEntry = Schema['AuditEntry']
export type CodeInUse = Schema['CodeInUse']
export type SetUpLink = Schema['SetUpLink']
export type SetUpLinks = Schema['SetUpLinks']
export type ShownSecret = Schema['ShownSecret']
export type ShownCode = Schema['ShownCode']
export type StageConsent = Schema['StageConsentView']
export type Imported = Schema['Imported']
export type Fault = Schema['Fault']
export type Sheet = 'organisations' | 'classrooms' | 'classes' | 'people'

export interface Listed<Item> {
  items: Item[]
  next?: string | null
}

export type Query = Record<string, string | number | boolean | null | undefined>

const API = '/api/v1'

/** `path` with what is not empty of `query`. */
export function asked(path: string, query: Query): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '' && value !== false)
      search.set(key, String(value))
  }
  const text = search.toString()
  return text === '' ? path : `${path}?${text}`
}

export const list = <Item>(what: string, query: Query = {}) => ask<Listed<Item>>('GET', asked(`${API}/${what}`, query))
export const show = <Item>(what: string, id: string) => ask<Item>('GET', `${API}/${what}/${encodeURIComponent(id)}`)

/** Pressed twice, done once: the same key goes along until the hub has answered. */
export const add = <Item>(what: string, item: unknown, key: string = crypto.randomUUID()) =>
  ask<Item>('POST', `${API}/${what}`, item, { 'idempotency-key': key })

/** Changes what is at `version`; whoever changed it since makes the hub refuse with 412. */
export const change = <Item>(what: string, id: string, version: number, item: unknown) =>
  ask<Item>('PATCH', `${API}/${what}/${encodeURIComponent(id)}`, item, { 'if-match': `"v${version}"` })

export const end = (what: string, id: string) => ask<void>('DELETE', `${API}/${what}/${encodeURIComponent(id)}`, {})

/** Whether a school's classes are recorded while they are on stage. */
export const readStageConsent = (organisationId: string) => ask<StageConsent>('GET', `${API}/organisations/${encodeURIComponent(organisationId)}/stage-consent`)
/** Holds from the school's next lesson on. `basis`: needed where they are recorded. */
export const setStageConsent = (organisationId: string, record: boolean, basis: string | null) =>
  ask<StageConsent>('PUT', `${API}/organisations/${encodeURIComponent(organisationId)}/stage-consent`, { record_on_stage: record, basis })

export const makeSetUpLink = (personId: string) => ask<SetUpLink>('POST', `${API}/people/${encodeURIComponent(personId)}/set-up-links`, {})
export const dropSecondFactor = (personId: string) => ask<void>('DELETE', `${API}/people/${encodeURIComponent(personId)}/second-factor`, {})

/** Locks somebody out; or lets them in again. */
export const lock = (personId: string, locked: boolean) => ask<Person>(locked ? 'PUT' : 'DELETE', `${API}/people/${encodeURIComponent(personId)}/lock`, {})

/** Takes a table in, all of it or nothing; as a dry run the hub only says what it would do, and every bad line. */
export const takeIn = (what: Sheet, file: Blob, mediaType: string, dryRun: boolean) =>
  sendFile<Imported>(asked(`${API}/imports/${what}`, { dry_run: dryRun }), file, mediaType)

export const signInByPassword = (name: string, password: string, code: string) =>
  ask<Me>('POST', `${API}/sign-in`, { sign_in_name: name, password, ...(code === '' ? {} : { code }) })
export const setPassword = (next: string, current?: string) =>
  ask<{ complete: boolean }>('PUT', `${API}/me/password`, { new: next, ...(current === undefined ? {} : { current }) })
export const beginSecondFactor = () => ask<ShownSecret>('POST', `${API}/me/second-factor`, {})
export const confirmSecondFactor = (code: string) => ask<{ complete: boolean }>('PUT', `${API}/me/second-factor`, { code })

export const isSetUpNeeded = () => ask<{ needed: boolean }>('GET', `${API}/set-up`).then(state => state.needed)
export const setUpHub = (hub: unknown) => ask<SetUpLinks>('POST', `${API}/set-up`, hub)

export const beginEnrolment = (publicKey: string) => ask<ShownCode>('POST', `${API}/enrolments`, { algorithm: 'p256', public_key: publicKey })
export const readEnrolment = (id: string) => ask<{ device_id?: string | null }>('GET', `${API}/enrolments/${encodeURIComponent(id)}`)
export const askChallenge = (deviceId: string) => ask<{ challenge: string }>('POST', `${API}/device-challenges`, { device_id: deviceId })
export const signInByDevice = (deviceId: string, challenge: string, signature: string) =>
  ask<Me>('POST', `${API}/sign-in`, { device_id: deviceId, challenge, signature })
