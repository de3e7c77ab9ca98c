// The authenticator app of a person who signs in (RFC 6238).
import { createHmac } from 'node:crypto'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const STEP_MS = 30_000
/** A code must still be accepted when it reaches the hub: this much time is left for that. */
const DELIVERY_MS = 8_000

/** The step of the last code that was given out, by secret. */
const lastSteps = new Map<string, number>()

function bytesOf(secret: string): Buffer {
  const bits = [...secret.replaceAll(' ', '')].map(letter => LETTERS.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map(byte => Number.parseInt(byte, 2)))
}

function totp(secret: string, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const digest = createHmac('sha1', bytesOf(secret)).update(counter).digest()
  const offset = (digest.at(-1) ?? 0) & 15
  return String((digest.readUInt32BE(offset) & 0x7FFF_FFFF) % 1_000_000).padStart(6, '0')
}

/**
 * A code that was not used yet. The hub accepts the steps before, of and after now, each once and in rising order, so
 * three codes are there without a wait; only a fourth waits for the next step.
 */
export async function unusedCode(secret: string): Promise<string> {
  const step = Math.max(Math.floor((Date.now() + DELIVERY_MS) / STEP_MS) - 1, (lastSteps.get(secret) ?? 0) + 1)
  lastSteps.set(secret, step)
  // The hub's clock is this machine's.
  await new Promise(resolve => setTimeout(resolve, Math.max(0, (step - 1) * STEP_MS - Date.now())))
  return totp(secret, step)
}
