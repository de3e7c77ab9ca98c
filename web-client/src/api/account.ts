/** Signing in, what belongs to the person who is signed in, and the people whom others look after. */
import type { Me, Schema } from './model'
import { ask } from './http'
import { API, listAll, listItems, show } from './resource'

export type Person = Schema['StoredPerson']
export type RoleGrant = Schema['StoredGrant']
export type Session = Schema['StoredSession']
export type SetUpLink = Schema['SetUpLink']
export type SetUpLinks = Schema['SetUpLinks']
export type ShownSecret = Schema['ShownSecret']
export interface Assistant { person_id: string, name: string }

/** A search by name shows no more. */
const FOUND_MAX = 50

export const signIn = (link: string) => ask<Me>('POST', `${API}/sign-in`, { link })
export const signInByPassword = (name: string, password: string, code: string) =>
  ask<Me>('POST', `${API}/sign-in`, { sign_in_name: name, password, ...(code === '' ? {} : { code }) })
export const signOut = () => ask<void>('POST', `${API}/sign-out`)

export const askChallenge = (deviceId: string) => ask<{ challenge: string }>('POST', `${API}/device-challenges`, { device_id: deviceId })
export const signInByDevice = (deviceId: string, challenge: string, signature: string) =>
  ask<Me>('POST', `${API}/sign-in`, { device_id: deviceId, challenge, signature })

export const readMe = () => ask<Me>('GET', `${API}/me`)
export const setPassword = (next: string, current?: string) =>
  ask<{ complete: boolean }>('PUT', `${API}/me/password`, { new: next, ...(current === undefined ? {} : { current }) })
export const beginSecondFactor = () => ask<ShownSecret>('POST', `${API}/me/second-factor`, {})
export const confirmSecondFactor = (code: string) => ask<{ complete: boolean }>('PUT', `${API}/me/second-factor`, { code })

/** The people who may assist in this classroom; asked by the classroom's own device. */
export const readAssistants = async () => (await ask<{ items: Assistant[] }>('GET', `${API}/me/assistants`)).items
export const nameAssistant = (person_id: string | null) => ask<void>('PUT', `${API}/me/assistant`, { person_id })

export const isSetUpNeeded = () => ask<{ needed: boolean }>('GET', `${API}/set-up`).then(state => state.needed)
export const setUpHub = (hub: unknown) => ask<SetUpLinks>('POST', `${API}/set-up`, hub)

export const readPeople = (organisation_id: string) => listAll<Person>('people', { organisation_id })
export const findPeople = (text: string) => listItems<Person>('people', { text, limit: FOUND_MAX })
export const readPerson = (id: string) => show<Person>('people', id)
export const makeSetUpLink = (personId: string) => ask<SetUpLink>('POST', `${API}/people/${encodeURIComponent(personId)}/set-up-links`, {})
export const dropSecondFactor = (personId: string) => ask<void>('DELETE', `${API}/people/${encodeURIComponent(personId)}/second-factor`, {})

/** Locks an account, or unlocks it. */
export const lock = (personId: string, locked: boolean) => ask<Person>(locked ? 'PUT' : 'DELETE', `${API}/people/${encodeURIComponent(personId)}/lock`, {})
