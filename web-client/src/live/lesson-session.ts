import type { SeatRole } from '../api/model'
import type { Problem } from '../api/problem'
import type { ByeReason, ClientMessage, ServerMessage } from './wire'
import { retryDelayMs } from '../api/backoff'
import { Refused } from '../api/http'
import { parseServerMessage } from './wire'

/** A seat's token in one lesson, and the addresses of its endpoints. */
export interface Admission {
  token: string
  /** `null`: a guest, whose seat is made on joining. */
  seatId: string | null
  whipUrl: string
  whepUrl: string
  socketUrl: string
}

export type Connection
  = | { kind: 'idle' }
    | { kind: 'connecting', attempt: number, sinceMs: number }
    | { kind: 'joined', seatId: string, role: SeatRole }
    | { kind: 'waiting', attempt: number, sinceMs: number, retryAtMs: number }
    | { kind: 'refused', problem: Problem }
    | { kind: 'over', reason: 'lesson_ended' | 'replaced' }

/** The part of WebSocket that this class needs. */
export interface Socket {
  onopen: ((event: Event) => void) | null
  onmessage: ((event: MessageEvent<string>) => void) | null
  onclose: ((event: CloseEvent) => void) | null
  send(text: string): void
  close(): void
}

export interface SessionOptions {
  /** Takes the seat. Called again whenever the token is refused. */
  admit(): Promise<Admission>
  onConnection(connection: Connection): void
  onMessage(message: ServerMessage): void
  openSocket?(url: string): Socket
  random?(): number
}

/** Ping interval: detects a dead connection within seconds at negligible cost. */
const PING_EVERY_MS = 3_000
/** Three pings without an answer: the connection is dead, before TCP notices. */
const SILENCE_MS = 10_000
/** Timeout from opening the socket to `welcome`. */
const WELCOME_WITHIN_MS = 8_000
/** The clock offset comes from the fastest of this many answers; slower ones waited in queues. */
const CLOCK_SAMPLES = 8
/** Statuses for which a retry does not help: signed out, not permitted, not found, gone. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 410])

/**
 * One seat's socket to the hub, reconnected after losses and restarts of the hub.
 *
 * The seat outlives the socket: after a loss the same seat is taken again.
 */
export class LessonSession {
  private connection: Connection = { kind: 'idle' }
  private socket: Socket | null = null
  private held: Admission | null = null
  private admitting: Promise<Admission> | null = null
  private seatId: string | null = null
  private attempt = 0
  /** Incremented at each connect and disconnect, so that late answers are recognised. */
  private turn = 0
  private lostSinceMs = 0
  private heardMs = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private beat: ReturnType<typeof setInterval> | undefined
  private deadline: ReturnType<typeof setTimeout> | undefined
  private samples: { rttMs: number, offsetMs: number }[] = []

  constructor(private readonly options: SessionOptions) {}

  /** `null`: not admitted yet. */
  get admission(): Admission | null {
    return this.held
  }

  /** Offset of the hub's clock from this machine's. */
  get clockOffsetMs(): number {
    return this.samples.reduce((best, next) => next.rttMs < best.rttMs ? next : best, this.samples[0] ?? { rttMs: 0, offsetMs: 0 }).offsetMs
  }

  start(): void {
    if (this.connection.kind !== 'idle' && this.connection.kind !== 'over' && this.connection.kind !== 'refused')
      return
    this.attempt = 0
    this.lostSinceMs = Date.now()
    void this.connect()
  }

  close(): void {
    this.finish({ kind: 'idle' })
  }

  /** Drops the message while disconnected: it would be stale after reconnecting. */
  send(message: ClientMessage): void {
    if (this.connection.kind === 'joined')
      this.socket?.send(JSON.stringify(message))
  }

  /** A new ticket for the same seat. Calls made at the same time share one request. */
  renew(): Promise<Admission> {
    this.admitting ??= this.options.admit()
      .then((admission) => {
        this.held = admission
        this.seatId ??= admission.seatId
        return admission
      })
      .finally(() => this.admitting = null)
    return this.admitting
  }

  private async connect(): Promise<void> {
    const turn = ++this.turn
    this.become({ kind: 'connecting', attempt: this.attempt, sinceMs: this.lostSinceMs })
    let admission: Admission
    try {
      admission = this.held ?? await this.renew()
    }
    catch (error) {
      if (turn !== this.turn)
        return
      if (error instanceof Refused && FINAL_STATUSES.has(error.status))
        this.finish({ kind: 'refused', problem: error.problem })
      else
        this.waitAndRetry()
      return
    }
    if (turn === this.turn)
      this.open(admission)
  }

  private open(admission: Admission): void {
    const socket = (this.options.openSocket ?? openWebSocket)(admission.socketUrl)
    this.socket = socket
    this.deadline = setTimeout(() => this.lose(socket), WELCOME_WITHIN_MS)
    socket.onopen = () => {
      const hello: ClientMessage = { type: 'hello', token: admission.token, seat_id: this.seatId }
      socket.send(JSON.stringify(hello))
    }
    socket.onclose = () => this.lose(socket)
    socket.onmessage = (event) => {
      const message = parseServerMessage(event.data)
      if (socket === this.socket && message)
        this.handle(message)
    }
  }

  private handle(message: ServerMessage): void {
    this.heardMs = Date.now()
    switch (message.type) {
      case 'welcome':
        clearTimeout(this.deadline)
        this.attempt = 0
        this.seatId = message.seat_id
        this.samples = [{ rttMs: SILENCE_MS, offsetMs: message.now_ms - this.heardMs }]
        this.options.onMessage(message)
        this.become({ kind: 'joined', seatId: message.seat_id, role: message.role })
        this.startBeat()
        break
      case 'pong': {
        const rttMs = this.heardMs - message.sent_ms
        this.samples.push({ rttMs, offsetMs: message.now_ms - (message.sent_ms + rttMs / 2) })
        this.samples.splice(0, this.samples.length - CLOCK_SAMPLES)
        break
      }
      case 'bye':
        this.leave(message.reason)
        break
      default:
        this.options.onMessage(message)
    }
  }

  private leave(reason: ByeReason): void {
    if (reason === 'lesson_ended' || reason === 'replaced') {
      this.finish({ kind: 'over', reason })
      return
    }
    if (reason === 'token_expired')
      this.held = null
    if (this.socket)
      this.lose(this.socket)
  }

  private startBeat(): void {
    clearInterval(this.beat)
    const ping = () => this.send({ type: 'ping', sent_ms: Date.now() })
    ping()
    this.beat = setInterval(() => {
      if (Date.now() - this.heardMs > SILENCE_MS && this.socket)
        this.lose(this.socket)
      else
        ping()
    }, PING_EVERY_MS)
  }

  private lose(socket: Socket): void {
    if (socket !== this.socket)
      return
    if (this.connection.kind === 'joined')
      this.lostSinceMs = Date.now()
    else
      // Never opened: the ticket may be the reason, so a new one is fetched.
      this.held = null
    this.dropSocket()
    this.waitAndRetry()
  }

  private waitAndRetry(): void {
    this.attempt += 1
    const delayMs = retryDelayMs(this.attempt, this.options.random)
    this.become({ kind: 'waiting', attempt: this.attempt, sinceMs: this.lostSinceMs, retryAtMs: Date.now() + delayMs })
    this.retry = setTimeout(() => void this.connect(), delayMs)
  }

  private finish(connection: Connection): void {
    this.turn += 1
    clearTimeout(this.retry)
    this.dropSocket()
    this.become(connection)
  }

  private dropSocket(): void {
    clearTimeout(this.deadline)
    clearInterval(this.beat)
    const socket = this.socket
    this.socket = null
    socket?.close()
  }

  private become(connection: Connection): void {
    this.connection = connection
    this.options.onConnection(connection)
  }
}

function openWebSocket(path: string): Socket {
  const url = new URL(path, location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return new WebSocket(url)
}
