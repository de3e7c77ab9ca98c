import type { Ref } from 'vue'
import type { Me } from './model'
import { readonly, shallowRef } from 'vue'
import { Refused } from './http'
import { readMe, signIn, signOut } from './account'

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

/** This browser is signed in no longer. */
export function forget(): void {
  identity.value = { kind: 'signed-out' }
}

/** For whatever a request threw: where the hub says that the session is over, the page goes to signing in. */
export function forgetIfSignedOut(error: unknown): void {
  if (error instanceof Refused && error.isSignedOut)
    forget()
}

export async function leave(): Promise<void> {
  await signOut().catch(() => {})
  forget()
}
