// GStreamer's webrtcbin plays by WHEP what aiortc publishes by WHIP. Its ClientHello comes in small pieces and knows no
// SRTP profile but AES-CM with SHA-1, so this also tries the hub's fallback.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestHub } from '../support/hub'
import { requirePackage, python } from './python'

const run = promisify(execFile)
const at = (script: string) => fileURLToPath(new URL(`../../../load-tests/foreign/${script}`, import.meta.url))
// Debian's own: python3-gst-1.0 is built for it.
const DEBIAN_PYTHON = '/usr/bin/python3'
const PLAYED_SECONDS = 6
const FPS = 30

interface Counts {
  state: string
  deleted: number
  frames: number
  read: number
  advanced: number
  samples: number
  energy: number
  error?: string
}

let hub: TestHub

beforeAll(async () => {
  await requirePackage('aiortc, aiohttp, numpy', 'aiortc.__version__')
  for (const element of ['webrtcbin', 'nicesrc', 'dtlsdec', 'srtpdec', 'avdec_h264', 'opusdec']) {
    await run('gst-inspect-1.0', [element]).catch(() => { throw new Error(`NOT RUN: GStreamer has no ${element}`) })
  }
  await run(DEBIAN_PYTHON, ['-c', 'import gi; gi.require_version("GstWebRTC", "1.0")'])
    .catch(() => { throw new Error('NOT RUN: Debian\'s Python has no GStreamer (python3-gst-1.0, gir1.2-gst-plugins-bad-1.0)') })
  hub = await TestHub.start()
})

afterAll(async () => {
  await hub?.stop()
})

async function client(command: string, args: string[], token: string): Promise<Counts> {
  const ended = await run(command, args, { env: { ...process.env, TOKEN: token }, timeout: 40_000 })
  return JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '') as Counts
}

test('GStreamer watches a lesson', async () => {
  const { whip_url, whep_url, publish_token, viewer_token } = hub.sample
  const publish = [at('aiortc_client.py'), 'publish', '--url', whip_url, '--codec', 'h264', '--seconds', `${PLAYED_SECONDS + 5}`]
  const teaching = client(python, publish, publish_token)
  const deadline = Date.now() + 15_000
  while (!hub.log.includes('is live')) {
    if (Date.now() > deadline) throw new Error(`the lesson did not begin:\n${hub.log}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const play = [at('gstreamer_client.py'), '--url', whep_url, '--seconds', `${PLAYED_SECONDS}`]
  const [watched] = await Promise.all([client(DEBIAN_PYTHON, play, viewer_token), teaching])

  console.log(`GStreamer: of ${PLAYED_SECONDS} s played ${watched.frames} pictures (${watched.read} read, ${watched.advanced} newer than the last), ${(watched.samples / 48_000).toFixed(2)} s of sound, energy ${watched.energy.toFixed(2)}`)
  expect.soft(watched.error).toBeUndefined()
  expect.soft([watched.state, watched.deleted]).toEqual(['connected', 200])
  expect.soft(watched.frames).toBeGreaterThan(PLAYED_SECONDS * FPS / 2)
  expect.soft(watched.read).toBeGreaterThan(watched.frames * 0.9)
  expect.soft(watched.advanced).toBeGreaterThan(watched.frames * 0.9)
  expect.soft(watched.samples / 48_000).toBeGreaterThan(PLAYED_SECONDS / 2)
  expect.soft(watched.energy / (watched.samples / 48_000)).toBeGreaterThan(0.04)
  expect.soft(hub.errorLines()).toEqual([])
}, 60_000)
