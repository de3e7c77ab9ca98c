import type { Me } from '../api/model'
import { askChallenge, signInByDevice } from '../api/account'
import { Refused } from '../api/http'
import { beginEnrolment, readEnrolment } from '../api/organisation'
import { canHoldKey, type DeviceKey, dropKey, keepKey, makeKey, publicKeyOf, readKey, sign } from './device-key'

export type Enrolment
  = | { kind: 'starting' }
    | { kind: 'code', code: string, expiresAtMs: number }
    | { kind: 'unreachable' }
    | { kind: 'unsafe' }
    | { kind: 'enrolled', me: Me }

/** A code is replaced this long before it expires, so that it does not expire while it is typed. */
const SPARE_MS = 20_000

/**
 * One poll: signs in if this PC is enrolled, else shows its code and checks whether it was entered.
 * Never throws: without a connection it waits.
 */
export async function lookIn(nowMs: number): Promise<Enrolment> {
  if (!canHoldKey())
    return { kind: 'unsafe' }
  try {
    let key = await readKey()
    if (key === undefined)
      await keepKey(key = await makeKey())
    if (key.deviceId === null)
      key = await ask(key, nowMs)
    if (key.deviceId !== null)
      return await enter(key, key.deviceId)
    return key.enrolment === null
      ? { kind: 'starting' }
      : { kind: 'code', code: key.enrolment.code, expiresAtMs: key.enrolment.expiresAtMs }
  }
  catch {
    return { kind: 'unreachable' }
  }
}

async function ask(key: DeviceKey, nowMs: number): Promise<DeviceKey> {
  let { enrolment, deviceId } = key
  if (enrolment !== null) {
    try {
      deviceId = (await readEnrolment(enrolment.id)).device_id ?? null
    }
    catch (error) {
      if (!(error instanceof Refused && error.status === 404))
        throw error
      enrolment = null
    }
  }
  if (deviceId === null && (enrolment === null || enrolment.expiresAtMs - nowMs < SPARE_MS)) {
    const shown = await beginEnrolment(await publicKeyOf(key))
    enrolment = { id: shown.enrolment_id, code: shown.code, expiresAtMs: shown.expires_at_ms }
  }
  const next = { pair: key.pair, enrolment, deviceId }
  await keepKey(next)
  return next
}

async function enter(key: DeviceKey, deviceId: string): Promise<Enrolment> {
  const { challenge } = await askChallenge(deviceId)
  try {
    return { kind: 'enrolled', me: await signInByDevice(deviceId, challenge, await sign(key, challenge)) }
  }
  catch (error) {
    // Refused: starts over with another key.
    if (error instanceof Refused && error.is('sign-in-refused')) {
      await dropKey()
      return { kind: 'starting' }
    }
    throw error
  }
}
