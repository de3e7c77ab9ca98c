import type { LineState } from './connection'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MediaConnection, heardFigure } from './connection'

/** What a browser's connection does as far as a line looks at it. */
class Peer {
  static readonly all: Peer[] = []
  connectionState: RTCPeerConnectionState = 'new'
  onconnectionstatechange: (() => void) | null = null
  localDescription: { sdp: string } | null = null
  remoteDescription: { sdp: string } | null = null
  remote: string | null = null
  closed = false
  bytesReceived = 0
  protocol = 'udp'
  restarts = 0
  signalingState: RTCSignalingState = 'stable'

  constructor() {
    Peer.all.push(this)
  }

  setLocalDescription(description?: { type: string }): Promise<void> {
    const rollback = description?.type === 'rollback'
    this.signalingState = rollback ? 'stable' : 'have-local-offer'
    if (!rollback)
      this.localDescription = { sdp: `a=ice-ufrag:ours${this.restarts}\r\na=ice-pwd:secret\r\n` }
    return Promise.resolve()
  }

  restartIce(): void {
    this.restarts += 1
  }

  setRemoteDescription(answer: { sdp: string }): Promise<void> {
    this.remote = answer.sdp
    this.remoteDescription = { sdp: answer.sdp }
    this.signalingState = 'stable'
    return Promise.resolve()
  }

  getStats(): Promise<Map<string, object>> {
    return Promise.resolve(new Map<string, object>([
      ['t', { type: 'transport', bytesReceived: this.bytesReceived, selectedCandidatePairId: 'p' }],
      ['p', { type: 'candidate-pair', localCandidateId: 'l' }],
      ['l', { type: 'local-candidate', protocol: this.protocol }],
    ]))
  }

  close(): void {
    this.closed = true
  }

  become(state: RTCPeerConnectionState): void {
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
}

const asked: { method: string, url: string, authorization: string | undefined }[] = []
let answer: () => Response
let pulse = 0

function made(status: number, body = 'answer', location = '/sessions/1'): Response {
  const response = new Response(body, { status, headers: { location } })
  Object.defineProperty(response, 'url', { value: 'https://hub/whep/lesson' })
  return response
}

function line(lingers = false) {
  const states: LineState[] = []
  let tokens = 0
  const made = new MediaConnection({
    url: () => '/whep/lesson',
    credentials: { token: () => 'old', renew: () => Promise.resolve(`new-${++tokens}`) },
    prepare: () => {},
    onState: state => states.push(state),
    pulse: () => pulse,
    feelEveryMs: 100,
    quietMs: 200,
    lingers,
    silenceMs: 4_000,
  })
  return { line: made, states, now: () => states.at(-1)?.kind }
}

const peer = (index: number) => Peer.all.at(index) ?? expect.fail('no connection was made')
const settle = () => vi.advanceTimersByTimeAsync(0)

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  vi.stubGlobal('RTCPeerConnection', Peer)
  vi.stubGlobal('window', new EventTarget())
  vi.stubGlobal('navigator', {})
  vi.stubGlobal('fetch', (url: string, options: RequestInit) => {
    const headers = options.headers as Record<string, string>
    asked.push({ method: options.method ?? 'GET', url, authorization: headers.authorization })
    return Promise.resolve(options.method === 'DELETE' ? new Response('') : answer())
  })
  answer = () => made(201)
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  Peer.all.length = 0
  asked.length = 0
})

it('comes up with one request and lets go of the session when closed', async () => {
  const { line: up, now } = line()
  up.open()
  await settle()
  expect(peer(0).remote).toBe('answer')
  peer(0).become('connected')
  expect(now()).toBe('up')
  up.close()
  expect(peer(0).closed).toBe(true)
  expect(asked.map(one => `${one.method} ${one.url}`)).toEqual(['POST /whep/lesson', 'DELETE https://hub/sessions/1'])
})

it('brings a new token when the old one is refused, and gives up when that one is too', async () => {
  const problem = { type: '/problems/token-expired', title: 'Unauthorized', status: 401, detail: 'the token has expired' }
  answer = () => made(401, JSON.stringify(problem))
  const { line: up, states } = line()
  up.open()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked.map(one => one.authorization)).toEqual(['Bearer old', 'Bearer new-1'])
  expect(states.at(-1)).toEqual({ kind: 'refused', problem })
})

it('does not knock again where the lesson cannot be had', async () => {
  answer = () => made(406, '{"type":"/problems/unsupported-codec","detail":"no codec in common for camera: it takes VP9"}')
  const { line: up, now } = line()
  up.open()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(1)
  expect(now()).toBe('refused')
})

it('waits out a break of a breath, and makes a longer one good with a new line', async () => {
  const { line: up, now } = line()
  up.open()
  await settle()
  peer(0).become('connected')
  peer(0).become('disconnected')
  await vi.advanceTimersByTimeAsync(1_500)
  peer(0).become('connected')
  await vi.advanceTimersByTimeAsync(1_500)
  expect(now()).toBe('up')
  peer(0).become('disconnected')
  await vi.advanceTimersByTimeAsync(2_000)
  expect(now()).toBe('waiting')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(Peer.all).toHaveLength(2)
})

it('looks for another way without asking anybody as soon as nothing comes, and not all the time', async () => {
  const { line: up, now } = line()
  up.open()
  await settle()
  peer(0).become('connected')
  const flow = async (looks: number) => {
    for (let look = 0; look < looks; look++) {
      pulse += 1
      peer(0).bytesReceived += 1
      await vi.advanceTimersByTimeAsync(100)
    }
  }
  await flow(25)
  expect(peer(0).restarts).toBe(0)
  await vi.advanceTimersByTimeAsync(300)
  expect(peer(0)).toMatchObject({ restarts: 1, remote: 'answer', signalingState: 'stable' })
  await vi.advanceTimersByTimeAsync(1_000)
  peer(0).become('disconnected')
  expect(peer(0).restarts).toBe(1)
  peer(0).become('connected')
  await flow(25)
  window.dispatchEvent(new Event('online'))
  expect(peer(0).restarts).toBe(2)
  expect(asked).toHaveLength(1)
  expect(now()).toBe('up')
  up.close()
  window.dispatchEvent(new Event('online'))
  expect(peer(0).restarts).toBe(2)
})

it('tries UDP again every minute while it goes by TCP, and leaves the line as it is where that fails', async () => {
  const remote = (ufrag: string) => `v=0\r\na=ice-ufrag:${ufrag}\r\na=ice-pwd:pwd\r\n`
  answer = () => made(201, remote('theirs'))
  const { line: up, now, states } = line()
  up.open()
  await settle()
  const flow = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      peer(0).bytesReceived += 1
      await vi.advanceTimersByTimeAsync(1_000)
    }
  }
  peer(0).become('connected')
  await flow(61)
  expect(peer(0).restarts).toBe(0)
  expect(states.at(-1)).toMatchObject({ byTcp: false })
  peer(0).protocol = 'tcp'
  answer = () => made(200, 'a=ice-ufrag:fresh\r\na=ice-pwd:pwd\r\n')
  await flow(1)
  expect(asked.at(-1)).toMatchObject({ method: 'PATCH', url: 'https://hub/sessions/1', authorization: 'Bearer old' })
  expect(peer(0).remote).toBe(remote('fresh'))
  expect(states.at(-1)).toMatchObject({ kind: 'up', byTcp: true })
  answer = () => made(404, '{}')
  await flow(60)
  expect(peer(0).restarts).toBe(2)
  expect(peer(0)).toMatchObject({ signalingState: 'stable', remote: remote('fresh') })
  peer(0).protocol = 'udp'
  await flow(120)
  expect(peer(0).restarts).toBe(2)
  expect(now()).toBe('up')
  expect(Peer.all).toHaveLength(1)
})

it('gives up a line from which nothing is heard, whatever its state says', async () => {
  const { line: up, now } = line()
  up.open()
  await settle()
  peer(0).become('connected')
  for (let second = 0; second < 10; second++) {
    peer(0).bytesReceived += 100
    await vi.advanceTimersByTimeAsync(1_000)
  }
  expect(now()).toBe('up')
  await vi.advanceTimersByTimeAsync(5_000)
  expect(peer(0).closed).toBe(true)
})

it.each([
  ['Chromium', { type: 'transport', bytesReceived: 900 }, { type: 'candidate-pair', bytesReceived: 900, responsesReceived: 1 }],
  ['Firefox', { type: 'transport' }, { type: 'candidate-pair', bytesReceived: 900, responsesReceived: 1 }],
])('hears whatever comes in %s', (_, transport, pair) => {
  const figure = (...stats: object[]) => heardFigure(new Map(stats.entries()) as unknown as RTCStatsReport)
  const before = figure(transport, pair)
  expect(figure(transport, { ...pair, bytesReceived: 1_000 })).toBeGreaterThan(before)
  expect(figure(transport, { ...pair, responsesReceived: 2 })).toBeGreaterThan(before)
})

it('keeps a failed receiver open until its follower is up, so that the last picture stays', async () => {
  const { line: up } = line(true)
  up.open()
  await settle()
  peer(0).become('connected')
  peer(0).become('failed')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(Peer.all).toHaveLength(2)
  expect(peer(0).closed).toBe(false)
  peer(1).become('connected')
  expect(peer(0).closed).toBe(true)
})

it('lets go of a session whose answer came after the line was closed', async () => {
  const { line: up } = line()
  up.open()
  up.close()
  await settle()
  expect(asked.map(one => one.method)).toEqual(['POST', 'DELETE'])
})
