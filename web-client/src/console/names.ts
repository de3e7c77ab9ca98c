import { reactive } from 'vue'
import { readPerson } from '../api/account'
import { readClass, readClassroom, readOrganisation } from '../api/organisation'

export type Named = 'organisation' | 'class' | 'classroom' | 'person'

export interface Known {
  name: string
  /** The school that it belongs to; empty where it is one. */
  school: string
  organisationId: string
}

/** Concurrent requests, few enough not to delay others while a grid loads. */
const ASKS_AT_ONCE = 4

const known = reactive(new Map<string, Known>())
const waiting: (() => Promise<void>)[] = []
const asked = new Set<string>()
let asking = 0

/** The name for an id, requested once on first use. Empty until the hub has answered. */
export function nameOf(kind: Named, id: string | null): string {
  return lookUp(kind, id)?.name ?? ''
}

export function lookUp(kind: Named, id: string | null): Known | undefined {
  if (id === null)
    return undefined
  const here = known.get(id)
  if (here === undefined && !asked.has(id)) {
    asked.add(id)
    waiting.push(async () => {
      const found = await find(kind, id).catch(() => null)
      if (found !== null)
        known.set(id, found)
    })
    void work()
  }
  return here
}

/** Stores a name that another answer contained. */
export function learn(id: string, found: Known): void {
  asked.add(id)
  known.set(id, found)
}

/** 景家教学点 三年级复式班: with the school unless the name begins with it. */
export function placeName(kind: 'class' | 'classroom', id: string | null): string {
  const place = lookUp(kind, id)
  if (place === undefined)
    return ''
  return place.school === '' || place.name.startsWith(place.school) ? place.name : `${place.school} ${place.name}`
}

async function find(kind: Named, id: string): Promise<Known> {
  switch (kind) {
    case 'organisation': {
      const found = await readOrganisation(id)
      return { name: found.name, school: '', organisationId: id }
    }
    case 'class': {
      const found = await readClass(id)
      return { name: found.name, school: found.school, organisationId: found.organisation_id }
    }
    case 'classroom': {
      const found = await readClassroom(id)
      return { name: found.name, school: found.school, organisationId: found.organisation_id }
    }
    case 'person': {
      const found = await readPerson(id)
      return { name: found.name, school: found.organisation, organisationId: found.organisation_id }
    }
  }
}

async function work(): Promise<void> {
  if (asking >= ASKS_AT_ONCE)
    return
  asking++
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
    await next()
  asking--
}
