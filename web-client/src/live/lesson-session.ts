import type { SeatRole } from '../api/model'
import type { ByeReason, ClientMessage, ServerMessage } from './wire'
import { Refused } from '../api/http'
import { retryDelayMs } from '../api/backoff'
import { parseServerMessage } from './wire'

/** The right to sit in one lesson, and where its doors are. */
export interface Admission {
  token: string
  /** `null`: a guest, whose seat is made when it comes in. */
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
    | { kind: 'refused', status: number, detail: string }
    | { kind: 'over', reason: 'lesson_ended' | 'replaced' }

/** What this class needs of a WebSocket. */
export interface Socket {
  onopen: ((event: Event) => void) | null
  onmessage: ((event: MessageEvent<string>) => void) | null
  onclose: ((event: CloseEvent) => void) | null
  send(text: string): void
  close(): void
}

export interface SessionOptions {
  /** Takes the seat. Called again whenever the token no longer opens the door. */
  admit(): Promise<Admission>
  onConnection(connection: Connection): void
  onMessage(message: ServerMessage): void
  openSocket?(url: string): Socket
  random?(): number
}

/** Often enough to notice a dead line within a sentence, rarely enough to cost nothing. */
const PING_EVERY_MS = 3_000
/** Three pings unanswered: the line is dead, whatever TCP still hopes. */
const SILENCE_MS = 10_000
/** A door that does not open within this long is tried anew. */
const WELCOME_WITHIN_MS = 8_000
/** The best of this many answers tells the clock; the rest waited in queues. */
const CLOCK_SAMPLES = 8
/** Statuses that asking again cannot mend: signed out, not permitted, not there, gone. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([401, 403, 404, 410])

/**
 * One seat's conversation with the hub, kept up over lost lines and restarts of the hub.
 *
 * The seat outlives the socket: after a loss the same seat is asked for again.
 */
export class LessonSession {
  private connection: Connection = { kind: 'idle' }
  private socket: Socket | null = null
  private held: Admission | null = null
  private admitting: Promise<Admission> | null = null
  private seatId: string | null = null
  private attempt = 0
  /** Counts goings and comings, so that an answer to an earlier one is known as late. */
  private turn = 0
  private lostSinceMs = 0
  private heardMs = 0
  private retry: ReturnType<typeof setTimeout> | undefined
  private beat: ReturnType<typeof setInterval> | undefined
  private deadline: ReturnType<typeof setTimeout> | undefined
  private samples: { rttMs: number, offsetMs: number }[] = []

  constructor(private readonly options: SessionOptions) {}

  /** `null`: not yet let in. */
  get admission(): Admission | null {
    return this.held
  }

  /** Add to this machine's clock to get the hub's. */
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

  /** Drops the message when the line is down: what it said is stale by the time the line is back. */
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
        this.finish({ kind: 'refused', status: error.status, detail: error.message })
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
      // A door that never opened: the ticket itself may be what is wrong.
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
