/**
 * The key of this classroom's PC. It is made here, cannot be read out, and never leaves the browser: a copied disk
 * image cannot sign in, and no password is typed in a classroom.
 */
export interface DeviceKey {
  pair: CryptoKeyPair
  /** Requested; waits until the code is entered. */
  enrolment: { id: string, code: string, expiresAtMs: number } | null
  /** The hub's id of this device. `null`: not enrolled yet. */
  deviceId: string | null
}

const DATABASE = 'tongke'
const STORE = 'device'
const KEY = 'key'
const MESSAGE_PREFIX = 'tongke-device-sign-in:'

/** `false`: not a secure context (no https), where browsers offer no keys. */
export const canHoldKey = (): boolean => globalThis.isSecureContext && typeof indexedDB !== 'undefined'

// P-256, not Ed25519: supported by the browsers of old PCs.
export async function makeKey(): Promise<DeviceKey> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
  return { pair, enrolment: null, deviceId: null }
}

/** 65 bytes of an uncompressed point, base64url. */
export async function publicKeyOf(key: DeviceKey): Promise<string> {
  return base64url(await crypto.subtle.exportKey('raw', key.pair.publicKey))
}

export async function sign(key: DeviceKey, challenge: string): Promise<string> {
  const message = new TextEncoder().encode(MESSAGE_PREFIX + challenge)
  return base64url(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.pair.privateKey, message))
}

export const readKey = () => inStore<DeviceKey | undefined>('readonly', store => store.get(KEY))
export const keepKey = (key: DeviceKey) => inStore('readwrite', store => store.put(key, KEY))
export const dropKey = () => inStore('readwrite', store => store.delete(KEY))

export function base64url(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

async function inStore<Answer>(mode: IDBTransactionMode, action: (store: IDBObjectStore) => IDBRequest): Promise<Answer> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const open = indexedDB.open(DATABASE, 1)
    open.onupgradeneeded = () => open.result.createObjectStore(STORE)
    open.onsuccess = () => resolve(open.result)
    open.onerror = () => reject(open.error ?? new Error('the database does not open'))
  })
  try {
    return await new Promise<Answer>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode)
      const request = action(transaction.objectStore(STORE))
      transaction.oncomplete = () => resolve(request.result as Answer)
      transaction.onerror = () => reject(transaction.error ?? new Error('the database refuses'))
      transaction.onabort = transaction.onerror
    })
  }
  finally {
    database.close()
  }
}
