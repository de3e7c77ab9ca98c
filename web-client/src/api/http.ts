import type { Problem, ProblemType } from './problem'
import { kindOf } from './problem'

/** The hub answered with a problem. Its message is English, for logs: pages word the problem itself. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title)
  }

  get status(): number {
    return this.problem.status
  }

  /** Whether the problem is of this type. */
  is(type: ProblemType): boolean {
    return kindOf(this.problem) === type
  }
}

/** No answer within the time limit of the request. */
export class Unreachable extends Error {}

/** What a request threw, as a page keeps it. `null`: there was no answer. */
export function problemOf(error: unknown): Problem | null {
  return error instanceof Refused ? error.problem : null
}

/** How long a person waits for a page before giving up. */
const ANSWER_WITHIN_MS = 10_000

/** 4 MB on a line of 1 Mbit/s, and the hub's work with them. */
const FILE_WITHIN_MS = 90_000

export async function readProblem(response: Response): Promise<Problem> {
  const unnamed: Problem = { type: 'about:blank', title: response.statusText, status: response.status, detail: '' }
  try {
    return { ...unnamed, ...await response.json() as Partial<Problem>, status: response.status }
  }
  catch {
    return unnamed
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Sends one request to the hub's own origin. Throws {@link Refused} or {@link Unreachable}. */
export async function ask<Answer>(method: Method, path: string, body?: unknown, headers: Record<string, string> = {}, withinMs: number = ANSWER_WITHIN_MS): Promise<Answer> {
  const response = await send(path, withinMs, {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  })
  return read(response)
}

/** Reads something together with its version, as a later request names it in `if-match`. */
export async function askTagged<Answer>(path: string): Promise<{ answer: Answer, tag: string }> {
  const response = await send(path, ANSWER_WITHIN_MS, { method: 'GET' })
  return { answer: await read<Answer>(response), tag: response.headers.get('etag') ?? '"v0"' }
}

/** Sends a file as it is, with a longer time limit: uploads are slow on a rural line. */
export async function sendFile<Answer>(path: string, file: Blob, mediaType: string): Promise<Answer> {
  return read(await send(path, FILE_WITHIN_MS, { method: 'POST', headers: { 'content-type': mediaType }, body: file }))
}

async function send(path: string, withinMs: number, request: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(path, { ...request, signal: AbortSignal.timeout(withinMs) })
  }
  catch (cause) {
    throw new Unreachable('no answer', { cause })
  }
  if (!response.ok)
    throw new Refused(await readProblem(response))
  return response
}

async function read<Answer>(response: Response): Promise<Answer> {
  return response.status === 204 ? undefined as Answer : await response.json() as Answer
}
