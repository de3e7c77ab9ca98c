// WebRTC statistics of a receiving page, polled over time.

// One poll. Counters count since the connection began.
export interface StatsSample {
  at: number
  connections: number
  state: string
  protocol: string
  localPort: number
  samples: number
  concealed: number
  voicePackets: number
  voiceLost: number
  frames: number
  height: number
  boardFrames: number
  boardHeight: number
  bytes: number
  frozen: number
  keyframesAsked: number
}

// Runs in a page with `trackConnections` (chromium.ts): polls the newest connection.
export function pollReceiveStats(everyMs: number): void {
  const store = window as unknown as { connections: RTCPeerConnection[], stats?: StatsSample[] }
  const stats: StatsSample[] = []
  store.stats = stats
  let busy = false
  const poll = async () => {
    const connection = store.connections.at(-1)
    if (connection === undefined || busy) return
    busy = true
    const report = await connection.getStats()
    busy = false
    const now: StatsSample = {
      at: performance.timeOrigin + performance.now(),
      connections: store.connections.length,
      state: connection.connectionState,
      protocol: '',
      localPort: 0,
      samples: 0,
      concealed: 0,
      voicePackets: 0,
      voiceLost: 0,
      frames: 0,
      height: 0,
      boardFrames: 0,
      boardHeight: 0,
      bytes: 0,
      frozen: 0,
      keyframesAsked: 0,
    }
    const all = report as unknown as Map<string, Record<string, unknown>>
    const number = (stat: Record<string, unknown>, name: string) => Number(stat[name] ?? 0)
    for (const stat of all.values()) {
      if (stat.type === 'transport') {
        const pair = all.get(String(stat.selectedCandidatePairId))
        const local = all.get(String(pair?.localCandidateId))
        now.protocol = String(local?.protocol ?? '')
        now.localPort = Number(local?.port ?? 0)
      }
      if (stat.type !== 'inbound-rtp') continue
      now.bytes += number(stat, 'bytesReceived')
      if (stat.kind === 'audio') {
        now.samples = number(stat, 'totalSamplesReceived')
        now.concealed = number(stat, 'concealedSamples') - number(stat, 'silentConcealedSamples')
        now.voicePackets = number(stat, 'packetsReceived')
        now.voiceLost = number(stat, 'packetsLost')
        continue
      }
      now.keyframesAsked += number(stat, 'pliCount') + number(stat, 'firCount')
      // The page's slots are voice, board, camera, in this order.
      if (stat.mid === '1') {
        now.boardFrames = number(stat, 'framesDecoded')
        now.boardHeight = number(stat, 'frameHeight')
      }
      else {
        now.frames = number(stat, 'framesDecoded')
        now.height = number(stat, 'frameHeight')
        now.frozen = number(stat, 'totalFreezesDuration')
      }
    }
    stats.push(now)
  }
  setInterval(() => void poll(), everyMs)
}

export function statsSamples(): StatsSample[] {
  return (window as unknown as { stats?: StatsSample[] }).stats ?? []
}

// Share of the voice that was concealed, between the first and the last poll.
export function concealedShare(stats: StatsSample[]): number {
  const [first, last] = [stats[0], stats.at(-1)]
  if (first === undefined || last === undefined) return Number.NaN
  return (last.concealed - first.concealed) / (last.samples - first.samples)
}

// The longest stretch in which more than half of the voice was concealed or none was played, in milliseconds.
export function longestVoiceGap(stats: StatsSample[]): number {
  let longest = 0
  let gap = 0
  for (const [index, sample] of stats.entries()) {
    const before = stats[index - 1]
    if (before === undefined) continue
    const samples = sample.samples - before.samples
    const concealed = sample.concealed - before.concealed
    const made = samples === 0 || concealed > samples / 2
    gap = made ? gap + (samples === 0 ? sample.at - before.at : concealed / 48) : 0
    longest = Math.max(longest, gap)
  }
  return longest
}

// The longest time in which no voice packet arrived, in milliseconds.
export function longestSilence(stats: StatsSample[]): number {
  let longest = 0
  let heard = stats[0]
  for (const sample of stats) {
    if (heard === undefined || sample.voicePackets === heard.voicePackets) continue
    longest = Math.max(longest, sample.at - heard.at)
    heard = sample
  }
  return longest
}

// Freezes by their definition: a gap between shown pictures of at least three times the average gap, or the average
// and 150 ms, whichever is longer; the average is of the last 30 gaps, from before `from` too, so that few pictures in a
// long time are no smooth film. Share of the time from `from` to `until`.
export function freezeShare(frames: [number, number][], from: number, until: number): number {
  const gaps: number[] = []
  let frozen = 0
  const times = [...frames.map(([at]) => at).filter(at => at < until), until]
  for (const [index, at] of times.entries()) {
    const before = times[index - 1]
    if (before === undefined) continue
    const gap = at - before
    const average = gaps.reduce((sum, value) => sum + value, 0) / Math.max(1, gaps.length)
    if (gaps.length >= 5 && gap >= Math.max(3 * average, average + 150)) frozen += Math.max(0, at - Math.max(before, from))
    gaps.push(gap)
    if (gaps.length > 30) gaps.shift()
  }
  return times.length < 2 ? 1 : frozen / (until - from)
}

// The longest time without a new picture, from `from` to `until`, in milliseconds.
export function longestStandstill(frames: [number, number][], from: number, until: number): number {
  let newest = -1
  let since = from
  let longest = 0
  for (const [at, counter] of frames) {
    if (at < from || at > until || counter <= newest) continue
    longest = Math.max(longest, at - since)
    newest = counter
    since = at
  }
  return Math.max(longest, until - since)
}
