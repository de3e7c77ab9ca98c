import type { Ref } from 'vue'
import type { Me } from './model'
import { readonly, shallowRef } from 'vue'
import { readMe, signIn, signOut } from './account'
import { Refused } from './http'

export type Identity
  = | { kind: 'unknown' }
    | { kind: 'signed-in', me: Me }
    | { kind: 'signed-out' }
    | { kind: 'unreachable' }

const identity = shallowRef<Identity>({ kind: 'unknown' })

/** The signed-in identity of this browser, shared by the whole page. */
export function useIdentity(): Readonly<Ref<Identity>> {
  return readonly(identity) as Readonly<Ref<Identity>>
}

/** Asks the hub who is signed in, unless that is known already. */
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

/** Signs in by a link. Throws what the request throws. */
export async function enter(link: string): Promise<Me> {
  return take(await signIn(link))
}

/** Signing in has succeeded. */
export function take(me: Me): Me {
  identity.value = { kind: 'signed-in', me }
  return me
}

/** The session is over. */
export function forget(): void {
  identity.value = { kind: 'signed-out' }
}

/** Takes what a request threw: if the session is over, the page shows the sign-in notice. */
export function forgetIfSignedOut(error: unknown): void {
  // Other answers with status 401 refuse credentials that were just given.
  if (error instanceof Refused && error.is('signed-out'))
    forget()
}

export async function leave(): Promise<void> {
  await signOut().catch(() => {})
  forget()
}
