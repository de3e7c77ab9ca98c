import type { Admission, Connection, Socket } from './lesson-session'
import type { ClientMessage, ServerMessage } from './wire'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Refused, Unreachable } from '../api/http'
import { LessonSession } from './lesson-session'

class Wire implements Socket {
  onopen: ((event: Event) => void) | null = null
  onmessage: ((event: MessageEvent<string>) => void) | null = null
  onclose: ((event: CloseEvent) => void) | null = null
  readonly sent: ClientMessage[] = []
  closed = false

  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientMessage)
  }

  close(): void {
    this.closed = true
  }

  open(): void {
    this.onopen?.({} as Event)
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) } as MessageEvent<string>)
  }

  welcome(seatId = 'seat-1'): void {
    this.open()
    this.say({ type: 'welcome', seat_id: seatId, role: 'classroom', lesson: {}, seats: [], slots: {}, now_ms: Date.now() + 5_000 })
  }

  cut(): void {
    this.onclose?.({} as CloseEvent)
  }
}

const ticket = (token: string): Admission =>
  ({ token, seatId: 'seat-1', whipUrl: '/whip/l', whepUrl: '/whep/l', socketUrl: '/socket' })

function classroom(admit: () => Promise<Admission> = () => Promise.resolve(ticket('token'))) {
  const wires: Wire[] = []
  const connections: Connection[] = []
  const messages: ServerMessage[] = []
  const session = new LessonSession({
    admit,
    onConnection: connection => connections.push(connection),
    onMessage: message => messages.push(message),
    openSocket: () => {
      const wire = new Wire()
      wires.push(wire)
      return wire
    },
    random: () => 0.5,
  })
  const last = () => wires.at(-1) ?? expect.fail('no socket was opened')
  return { session, wires, connections, messages, last, now: () => connections.at(-1)?.kind }
}

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

const settle = () => vi.advanceTimersByTimeAsync(0)

it('takes its seat and says hello before anything else', async () => {
  const { session, last, now, messages } = classroom()
  session.start()
  await settle()
  last().welcome()
  expect(last().sent[0]).toEqual({ type: 'hello', token: 'token', seat_id: 'seat-1' })
  expect(now()).toBe('joined')
  expect(messages[0]?.type).toBe('welcome')
})

it('comes back to the same seat after the line was cut', async () => {
  const { session, last, wires, connections, now } = classroom()
  session.start()
  await settle()
  last().welcome('seat-9')
  last().cut()
  expect(connections.at(-1)).toEqual({ kind: 'waiting', attempt: 1, sinceMs: 1_000_000, retryAtMs: 1_001_000 })
  await vi.advanceTimersByTimeAsync(1_000)
  last().welcome('seat-9')
  expect(wires).toHaveLength(2)
  expect(last().sent[0]).toMatchObject({ seat_id: 'seat-9' })
  expect(now()).toBe('joined')
})

it('notices a line that is dead without having closed', async () => {
  const { session, last, wires, now } = classroom()
  session.start()
  await settle()
  last().welcome()
  await vi.advanceTimersByTimeAsync(13_000)
  expect(wires[0]?.closed).toBe(true)
  expect(wires.length + (now() === 'waiting' ? 1 : 0)).toBeGreaterThan(1)
})

it('stays as long as pongs come, and learns the hub’s clock from the quickest', async () => {
  const { session, last, now } = classroom()
  session.start()
  await settle()
  last().welcome()
  for (let beat = 0; beat < 20; beat++) {
    await vi.advanceTimersByTimeAsync(3_000)
    const rttMs = beat === 15 ? 20 : 900
    last().say({ type: 'pong', sent_ms: Date.now() - rttMs, now_ms: Date.now() + 7_000 - rttMs / 2 })
  }
  expect(now()).toBe('joined')
  expect(session.clockOffsetMs).toBe(7_000)
})

it('asks for a new ticket when the hub says that the old one has run out', async () => {
  let asked = 0
  const { session, last } = classroom(() => Promise.resolve(ticket(`token-${++asked}`)))
  session.start()
  await settle()
  last().welcome()
  last().say({ type: 'bye', reason: 'token_expired' })
  await vi.advanceTimersByTimeAsync(1_000)
  last().open()
  expect(last().sent[0]).toMatchObject({ type: 'hello', token: 'token-2' })
})

it.each(['lesson_ended', 'replaced'] as const)('does not come back after %s', async (reason) => {
  const { session, last, wires, connections } = classroom()
  session.start()
  await settle()
  last().welcome()
  last().say({ type: 'bye', reason })
  last().cut()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(connections.at(-1)).toEqual({ kind: 'over', reason })
  expect(wires).toHaveLength(1)
})

it('keeps knocking while the hub is away', async () => {
  let asked = 0
  const { session, last, now } = classroom(() => ++asked < 6 ? Promise.reject(new Unreachable('')) : Promise.resolve(ticket('token')))
  session.start()
  await vi.advanceTimersByTimeAsync(15_000)
  last().welcome()
  expect(asked).toBe(6)
  expect(now()).toBe('joined')
})

it('stops at a door that will not open', async () => {
  const problem = { type: '/problems/not-found', title: 'Not Found', status: 404, detail: 'not found' }
  const { session, wires, connections } = classroom(() => Promise.reject(new Refused(problem)))
  session.start()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(connections.at(-1)).toEqual({ kind: 'refused', problem })
  expect(wires).toHaveLength(0)
})

it('opens one socket only, when closed and started again while the ticket is on its way', async () => {
  const { session, wires } = classroom(() => new Promise(resolve => setTimeout(() => resolve(ticket('token')), 100)))
  session.start()
  session.close()
  session.start()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(wires).toHaveLength(1)
})
