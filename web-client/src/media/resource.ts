import { readProblem, Refused, Unreachable } from '../api/http'

export interface SdpAnswer {
  sdp: string
  /**
   * Restarts ICE (RFC 9725 §4.3.3): takes our new credentials as an SDP fragment, gives the hub's.
   *
   * Throws {@link Refused} or {@link Unreachable}.
   */
  restart(fragment: string): Promise<string>
  /** Deletes the session at the hub; the request survives closing the page (keepalive). */
  release(): void
}

/** The hub answers an offer at once; a longer silence is a dead line. */
const ANSWER_WITHIN_MS = 8_000

/**
 * POSTs an offer to a WHIP (RFC 9725) or WHEP endpoint.
 *
 * Throws {@link Refused} or {@link Unreachable}.
 */
export async function exchangeSdp(url: string, token: string, offer: string): Promise<SdpAnswer> {
  const response = await ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', 'authorization': `Bearer ${token}` },
    body: offer,
  })
  const location = response.headers.get('location')
  const resource = location === null ? null : new URL(location, response.url).href
  let tag = response.headers.get('etag')
  return {
    sdp: await response.text(),
    restart: async (fragment) => {
      const patched = await ask(resource ?? '', {
        method: 'PATCH',
        headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': tag ?? '*', 'authorization': `Bearer ${token}` },
        body: fragment,
      })
      tag = patched.headers.get('etag')
      return patched.text()
    },
    release: () => {
      if (resource !== null)
        // If this fails, the hub's timeout ends the session.
        fetch(resource, { method: 'DELETE', keepalive: true, headers: { authorization: `Bearer ${token}` } }).catch(() => {})
    },
  }
}

async function ask(url: string, request: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
  }
  catch (cause) {
    throw new Unreachable('no answer', { cause })
  }
  if (!response.ok)
    throw new Refused(await readProblem(response))
  return response
}
