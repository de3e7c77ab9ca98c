/** RFC 9457. `title` and `detail` are sentences for people, in Chinese. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  /** Of what was deleted: by which rule and, once it is all gone, on which day, as `2026-10-21`. */
  gone?: { rule: 'retention' | 'request', on?: string | null }
}

/** The hub answered and said no. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title)
  }

  get status(): number {
    return this.problem.status
  }
}

/** Nobody answered within the time a person waits. */
export class Unreachable extends Error {}

/** A person gives up on a page after about this long. */
const ANSWER_WITHIN_MS = 10_000

/** Four megabytes on a line of a megabit, and the hub's work with them. */
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

/** Sends one request to the hub's own origin. Throws {@link Refused} or {@link Unreachable}. */
export function ask<Answer>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, more: Record<string, string> = {}): Promise<Answer> {
  return answered(path, ANSWER_WITHIN_MS, {
    method,
    headers: body === undefined ? more : { 'content-type': 'application/json', ...more },
    body: body === undefined ? null : JSON.stringify(body),
  })
}

/** Sends a file as it is, and waits longer: it has to go up a rural line first. */
export function sendFile<Answer>(path: string, file: Blob, mediaType: string): Promise<Answer> {
  return answered(path, FILE_WITHIN_MS, { method: 'POST', headers: { 'content-type': mediaType }, body: file })
}

async function answered<Answer>(path: string, withinMs: number, request: RequestInit): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(path, { ...request, signal: AbortSignal.timeout(withinMs) })
  }
  catch (cause) {
    throw new Unreachable('no answer', { cause })
  }
  if (!response.ok)
    throw new Refused(await readProblem(response))
  if (response.status === 204)
    return undefined as Answer
  return await response.json() as Answer
}
