import type { Ref } from 'vue'
import type { Me } from './model'
import { readonly, shallowRef } from 'vue'
import { Refused } from './http'
import { readMe, signIn, signOut } from './lesson'

export type Identity
  = | { kind: 'unknown' }
    | { kind: 'signed-in', me: Me }
    | { kind: 'signed-out' }
    | { kind: 'unreachable' }

const identity = shallowRef<Identity>({ kind: 'unknown' })

/** Who this browser is to the hub. One for the whole page. */
export function useIdentity(): Readonly<Ref<Identity>> {
  return readonly(identity) as Readonly<Ref<Identity>>
}

/** Asks the hub, unless it has already said. */
export async function recognise(): Promise<Identity> {
  if (identity.value.kind === 'signed-in')
    return identity.value
  try {
    identity.value = { kind: 'signed-in', me: await readMe() }
  }
  catch (error) {
    identity.value = { kind: error instanceof Refused && error.status === 401 ? 'signed-out' : 'unreachable' }
  }
  return identity.value
}

/** Throws what the hub refused with. */
export async function enter(link: string): Promise<Me> {
  return take(await signIn(link))
}

/** The hub has let this browser in. */
export function take(me: Me): Me {
  identity.value = { kind: 'signed-in', me }
  return me
}

/** The session ran out under the page. */
export function forget(): void {
  identity.value = { kind: 'signed-out' }
}

export async function leave(): Promise<void> {
  await signOut().catch(() => {})
  forget()
}
