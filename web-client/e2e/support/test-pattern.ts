// A lesson made in the page from one clock: a frame counter, and a flash and a beep every two seconds.
//
// The top strip of both pictures holds 40 equal cells: 1010 | 24-bit Gray counter | 8-bit checksum | 0101. The counter
// counts 40 ms steps of the wall clock modulo 2^24, so a reader on the same machine knows how old a picture is.

export const STEP_MS = 40
export const CELLS = 40

// The counter in a strip's cells, as `drawTestPattern` paints it. `null`: the cells hold no counter.
export function decodeCounter(cells: number[]): number | null {
  if (cells.slice(0, 4).join('') !== '1010' || cells.slice(36).join('') !== '0101') return null
  const number = (part: number[]) => part.reduce<number>((sum, bit) => sum * 2 + bit, 0)
  let counter = number(cells.slice(4, 28))
  for (let shift = 1; shift < 24; shift <<= 1) counter ^= counter >> shift
  const checksum = ((counter & 255) * 7 + ((counter >> 8) & 255) * 13 + ((counter >> 16) & 255) * 29 + 91) & 255
  return checksum === number(cells.slice(28, 36)) ? counter : null
}

// Runs in the teacher's page before its own scripts: replaces its camera, microphone and screen.
export function drawTestPattern(how: true | 'slides' = true): void {
  // Firefox runs this on its empty first page too, which is no secure context and has no devices.
  if (!('mediaDevices' in navigator)) return
  const STEP = 40
  const checksum = (value: number) => ((value & 255) * 7 + ((value >> 8) & 255) * 13 + ((value >> 16) & 255) * 29 + 91) & 255

  // The slide changes every ten seconds; between two slides only its counter moves.
  const PAGE = 10_000
  const TEXT = '同学们好。今天我们学习时间的问法：What time is it? It is half past nine. 请跟我读，再读一遍。'

  function paintSlide(context: CanvasRenderingContext2D, now: number): void {
    const page = Math.floor(now / PAGE)
    const { width, height } = context.canvas
    context.font = `${height / 20}px "Noto Sans CJK SC", sans-serif`
    context.fillStyle = '#1d2621'
    for (let line = 0; line < 7; line++) {
      const start = (page * 7 + line * 5) % TEXT.length
      context.fillText(`${line + 1}. ${(TEXT + TEXT).slice(start, start + 26)}`, width * 0.05, height * (0.38 + line * 0.08))
    }
  }

  function paint(context: CanvasRenderingContext2D, title: string, now: number, slide = false): void {
    const { width, height } = context.canvas
    const counter = Math.floor(now / STEP) % (1 << 24)
    const gray = counter ^ (counter >> 1)
    const sum = checksum(counter)
    const bits = [1, 0, 1, 0]
    for (let bit = 23; bit >= 0; bit--) bits.push((gray >> bit) & 1)
    for (let bit = 7; bit >= 0; bit--) bits.push((sum >> bit) & 1)
    bits.push(0, 1, 0, 1)
    context.fillStyle = '#f7f6f1'
    context.fillRect(0, 0, width, height)
    const cell = width / 40
    bits.forEach((bit, at) => {
      context.fillStyle = bit === 1 ? '#fff' : '#000'
      context.fillRect(at * cell, 0, cell, height / 15)
    })
    context.fillStyle = '#1f5c46'
    context.font = `${height / 9}px "Noto Sans CJK SC", sans-serif`
    context.fillText(title, width * 0.05, height * 0.3)
    if (slide) return paintSlide(context, now)
    context.font = `${height / 16}px "Noto Sans CJK SC", sans-serif`
    context.fillText(`第 ${counter} 格 · ${new Date(now).toLocaleTimeString('zh-CN')}`, width * 0.05, height * 0.45)
    context.beginPath()
    for (let x = 0; x < width * 0.8; x += 4) {
      context.lineTo(width * 0.05 + x, height * 0.65 + Math.sin(x / 30 + now / 400) * height * 0.05)
    }
    context.strokeStyle = '#a33'
    context.stroke()
    // The flash: 120 ms white in a black box, at every even second.
    context.fillStyle = now % 2000 < 120 ? '#fff' : '#000'
    context.fillRect(width * 0.4, height * 0.75, width * 0.2, height * 0.2)
  }

  function canvasStream(width: number, height: number, fps: number, title: string, slide = false): MediaStream {
    const canvas = Object.assign(document.createElement('canvas'), { width, height })
    const context = canvas.getContext('2d', { alpha: false })
    if (context === null) throw new Error('no canvas')
    const clock = () => performance.timeOrigin + performance.now()
    setInterval(() => paint(context, title, clock(), slide), 1000 / fps)
    paint(context, title, clock(), slide)
    return canvas.captureStream(fps)
  }

  function beeps(): MediaStreamTrack {
    const context = new AudioContext({ sampleRate: 48_000 })
    const out = context.createMediaStreamDestination()
    const tone = new OscillatorNode(context, { frequency: 1000 })
    const gain = new GainNode(context, { gain: 0 })
    const hum = new OscillatorNode(context, { frequency: 220 })
    const quiet = new GainNode(context, { gain: 0.01 })
    tone.connect(gain).connect(out)
    hum.connect(quiet).connect(out)
    tone.start()
    hum.start()
    let scheduled = 0
    setInterval(() => {
      // Before the first click in the page Chromium keeps it silent.
      if (context.state !== 'running') void context.resume()
      const now = performance.timeOrigin + performance.now()
      const next = Math.ceil((now + 50) / 2000) * 2000
      if (next !== scheduled && next - now < 500) {
        scheduled = next
        const at = context.currentTime + (next - now) / 1000
        gain.gain.setValueAtTime(0.5, at)
        gain.gain.setValueAtTime(0, at + 0.12)
      }
    }, 100)
    const track = out.stream.getAudioTracks()[0]
    if (track === undefined) throw new Error('no sound')
    return track
  }

  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = new MediaStream()
    if (constraints?.video) for (const track of canvasStream(640, 360, 25, '英语 第3课').getTracks()) stream.addTrack(track)
    if (constraints?.audio) stream.addTrack(beeps())
    return stream
  }
  navigator.mediaDevices.getDisplayMedia = async () => how === 'slides'
    ? canvasStream(1280, 720, 1, '板书：What time is it?', true)
    : canvasStream(1280, 720, 15, '板书：What time is it?')
  navigator.mediaDevices.enumerateDevices = async () => [
    { deviceId: 'c', groupId: 'g', kind: 'videoinput', label: '摄像头', toJSON: () => ({}) },
    { deviceId: 'm', groupId: 'g', kind: 'audioinput', label: '麦克风', toJSON: () => ({}) },
  ] as MediaDeviceInfo[]
}

// Runs in a page: notes every frame that a <video> presents, as wall clock and counter (-1: none, -2: wrong checksum).
export function recordFrames(selector: string): void {
  const store = window as unknown as { seen?: Record<string, [number, number][]> }
  const checksum = (value: number) => ((value & 255) * 7 + ((value >> 8) & 255) * 13 + ((value >> 16) & 255) * 29 + 91) & 255
  const frames: [number, number][] = []
  store.seen = { ...store.seen, [selector]: frames }
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 4 })
  const context = canvas.getContext('2d', { willReadFrequently: true })
  const read = (video: HTMLVideoElement): number => {
    if (context === null || video.videoWidth === 0) return -1
    const top = video.videoHeight / 45
    context.drawImage(video, 0, top, video.videoWidth, Math.max(1, top), 0, 0, 320, 4)
    const row = context.getImageData(0, 1, 320, 1).data
    const bits = Array.from({ length: 40 }, (_, at) => ((row[(at * 8 + 4) * 4 + 1] ?? 0) > 128 ? 1 : 0))
    if (bits.slice(0, 4).join('') !== '1010' || bits.slice(36).join('') !== '0101') return -1
    const number = (part: number[]) => part.reduce<number>((sum, bit) => sum * 2 + bit, 0)
    let counter = number(bits.slice(4, 28))
    for (let shift = 1; shift < 24; shift <<= 1) counter ^= counter >> shift
    return checksum(counter) === number(bits.slice(28, 36)) ? counter : -2
  }
  let watched: HTMLVideoElement | null = null
  const follow = () => {
    const video = document.querySelector<HTMLVideoElement>(selector)
    if (video === null || video === watched) return
    watched = video
    const frame = () => {
      if (video !== watched) return
      frames.push([performance.timeOrigin + performance.now(), read(video)])
      video.requestVideoFrameCallback(frame)
    }
    video.requestVideoFrameCallback(frame)
  }
  follow()
  setInterval(follow, 50)
}

export function shownFrames(selector: string): [number, number][] {
  return (window as unknown as { seen?: Record<string, [number, number][]> }).seen?.[selector] ?? []
}

export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

// The longest time for which no new counter was shown, in milliseconds.
export function longestFreeze(frames: [number, number][]): number {
  let newest = -1
  let since = frames[0]?.[0] ?? 0
  let longest = 0
  for (const [at, counter] of frames) {
    if (counter > newest) {
      if (newest >= 0) longest = Math.max(longest, at - since)
      newest = counter
      since = at
    }
  }
  return longest
}

// How old each picture was when it was shown, in milliseconds.
export function frameAges(frames: [number, number][]): number[] {
  return frames.filter(([, counter]) => counter >= 0).map(([at, counter]) => {
    const steps = Math.floor(at / STEP_MS)
    const behind = (((steps - counter) % (1 << 24)) + (1 << 24)) % (1 << 24)
    return behind * STEP_MS + (at % STEP_MS)
  })
}
