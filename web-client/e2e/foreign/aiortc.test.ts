// aiortc publishes by WHIP and another aiortc plays by WHEP: pictures and sound are decoded and counted.
// aiortc leaves loopback addresses out, so media goes over the machine's own address, as it does in a school.
import { execFile } from 'node:child_process'
import { networkInterfaces } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { TestHub } from '../support/hub'
import { requirePackage, python } from './python'

const run = promisify(execFile)
const script = fileURLToPath(new URL('../../../load-tests/foreign/aiortc_client.py', import.meta.url))
const PLAYED_SECONDS = 6
const FPS = 30

interface Counts {
  state: string
  deleted: number
  // Decoded (or sent), read back from their bars, and those with a higher number than the one before.
  frames: number
  read: number
  advanced: number
  width: number
  height: number
  samples: number
  energy: number
}

let hub: TestHub

beforeAll(async () => {
  await requirePackage('aiortc, aiohttp, numpy', 'aiortc.__version__')
  const outward = Object.values(networkInterfaces()).flat().some(address => address !== undefined && !address.internal)
  if (!outward) throw new Error('NOT RUN: this machine has only loopback addresses, which aiortc leaves out')
})

beforeEach(async () => {
  hub = await TestHub.start()
})

afterEach(async () => {
  await hub?.stop()
})

async function client(role: 'publish' | 'play', url: string, token: string, codec: string, seconds: number): Promise<Counts> {
  const args = [script, role, '--url', url, '--codec', codec, '--seconds', `${seconds}`]
  const ended = await run(python, args, { env: { ...process.env, TOKEN: token }, timeout: 40_000 })
  return JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Counts
}

async function lessonIsLive(): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!hub.log.includes('is live')) {
    if (Date.now() > deadline) throw new Error(`the lesson did not begin:\n${hub.log}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

test.each(['h264', 'vp8'])('aiortc teaches in %s and another aiortc watches', async (codec) => {
  const { whip_url, whep_url, publish_token, viewer_token } = hub.sample
  const teaching = client('publish', whip_url, publish_token, codec, PLAYED_SECONDS + 5)
  await Promise.race([lessonIsLive(), teaching])
  const [watched, taught] = await Promise.all([client('play', whep_url, viewer_token, codec, PLAYED_SECONDS), teaching])

  console.log(`aiortc ${codec}: ${taught.frames} pictures sent; of ${PLAYED_SECONDS} s played ${watched.frames} pictures of ${watched.width}×${watched.height} (${watched.read} read, ${watched.advanced} newer than the last), ${(watched.samples / 48_000).toFixed(2)} s of sound, energy ${watched.energy.toFixed(2)}`)
  expect.soft([watched.state, taught.state]).toEqual(['connected', 'connected'])
  expect.soft([watched.deleted, taught.deleted]).toEqual([200, 200])
  // Half of what was sent is enough on a busy machine: this judges whether it works, not how well.
  expect.soft(watched.frames).toBeGreaterThan(PLAYED_SECONDS * FPS / 2)
  expect.soft(watched.read).toBeGreaterThan(watched.frames * 0.9)
  expect.soft(watched.advanced).toBeGreaterThan(watched.frames * 0.9)
  expect.soft([watched.width, watched.height]).toEqual([640, 360])
  expect.soft(watched.samples / 48_000).toBeGreaterThan(PLAYED_SECONDS / 2)
  // A tone at half of full scale has an energy of 0.125 in each second.
  expect.soft(watched.energy / (watched.samples / 48_000)).toBeGreaterThan(0.06)
  expect.soft(hub.errorLines()).toEqual([])
}, 60_000)
