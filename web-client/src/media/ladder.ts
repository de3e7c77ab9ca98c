/** Helpers for the fallback from UDP to TCP and back. */

/** Whether the packets of this connection go by TCP. Unknown (an old Firefox) counts as no. */
export function goesByTcp(stats: RTCStatsReport): boolean {
  let pair: string | undefined
  stats.forEach((entry: RTCStats) => {
    if (entry.type === 'transport')
      pair = (entry as RTCTransportStats).selectedCandidatePairId
  })
  const local = pair === undefined ? undefined : (stats.get(pair) as RTCIceCandidatePairStats | undefined)?.localCandidateId
  return local !== undefined && (stats.get(local) as { protocol?: string } | undefined)?.protocol === 'tcp'
}

/** The credentials of a description as an SDP fragment (RFC 8840 §9). `null`: it has none. */
export function credentialsOf(sdp: string): string | null {
  const ufrag = /^a=ice-ufrag:.*$/m.exec(sdp)?.[0].trim()
  const pwd = /^a=ice-pwd:.*$/m.exec(sdp)?.[0].trim()
  return ufrag === undefined || pwd === undefined ? null : `${ufrag}\r\n${pwd}\r\n`
}

/** An answer with the credentials of a fragment. The hub's candidates stay what they were. */
export function withCredentials(answer: string, fragment: string): string | null {
  const fresh = credentialsOf(fragment)
  if (fresh === null)
    return null
  const [ufrag = '', pwd = ''] = fresh.split('\r\n')
  return answer.replace(/^a=ice-ufrag:[^\r\n]*/gm, () => ufrag).replace(/^a=ice-pwd:[^\r\n]*/gm, () => pwd)
}
