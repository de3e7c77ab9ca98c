// What a recording holds, measured by ffmpeg and by the page that plays it.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { BrowserContext, Page } from 'playwright-core'
import { VOICE } from './selectors'
import { CELLS, shownFrames, decodeCounter } from './test-pattern'

const run = promisify(execFile)

async function cookieHeader(context: BrowserContext, origin: string): Promise<string> {
  const cookies = await context.cookies(origin)
  return `Cookie: ${cookies.map(cookie => `${cookie.name}=${cookie.value}`).join('; ')}\r\n`
}

// Times at which `value` first rises over `threshold`, from ffmpeg's metadata printer.
function rises(text: string, key: string, threshold: number): number[] {
  const times: number[] = []
  let at = Number.NaN
  let wasHigh = true
  for (const line of text.split('\n')) {
    const time = /pts_time:([\d.]+)/.exec(line)
    if (time?.[1] !== undefined) at = Number(time[1])
    if (line.startsWith(`${key}=`)) {
      const isHigh = Number(line.slice(key.length + 1)) > threshold
      if (isHigh && !wasHigh) times.push(at)
      wasHigh = isHigh
    }
  }
  return times
}

const more = { maxBuffer: 512 * 1024 * 1024 }

// A hub in a network namespace can be reached from inside it alone.
function program(name: string, namespace: string | undefined, words: string[]): Promise<{ stdout: string, stderr: string }> {
  return namespace === undefined ? run(name, words, more) : run('ip', ['netns', 'exec', namespace, name, ...words], more)
}

export interface Beep {
  // When it sounds in the recording.
  atS: number
  // Seconds by which it comes after its flash.
  lateS: number
}

export async function beepOffsets(context: BrowserContext, origin: string, playlist: string, namespace?: string): Promise<Beep[]> {
  const headers = await cookieHeader(context, origin)
  const input = ['-v', 'error', '-headers', headers, '-i', origin + playlist]
  const box = 'crop=iw*0.1:ih*0.1:iw*0.45:ih*0.8,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-'
  const seen = await program('ffmpeg', namespace, [...input, '-map', '0:v:0', '-fps_mode', 'passthrough', '-vf', box, '-f', 'null', '-'])
  const level = 'asetnsamples=240,astats=metadata=1:reset=1,ametadata=print:key=lavfi.astats.Overall.RMS_level:file=-'
  const heard = await program('ffmpeg', namespace, [...input, '-map', '0:a:0', '-af', level, '-f', 'null', '-'])
  const flashes = rises(seen.stdout, 'lavfi.signalstats.YAVG', 128)
  const beeps = rises(heard.stdout, 'lavfi.astats.Overall.RMS_level', -20)
  return beeps
    .map(atS => ({ atS, lateS: flashes.map(flash => atS - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0] ?? Number.NaN }))
    .filter(({ lateS }) => Math.abs(lateS) < 0.5)
}

// The counter on every recorded picture, and where in the recording it stands; a picture that is held comes again.
export async function recordedCounters(context: BrowserContext, origin: string, playlist: string, namespace?: string): Promise<{ atS: number, counter: number }[]> {
  const headers = await cookieHeader(context, origin)
  // One pixel for each of the strip's cells, from the middle of its height.
  const strip = `crop=iw:ih/45:0:ih/45,scale=${CELLS}:1:flags=area,format=gray,showinfo=checksum=0`
  const words = ['-v', 'info', '-nostats', '-headers', headers, '-i', origin + playlist, '-map', '0:v:0', '-fps_mode', 'passthrough', '-vf', strip, '-f', 'rawvideo', '-']
  const command = namespace === undefined ? ['ffmpeg', ...words] : ['ip', 'netns', 'exec', namespace, 'ffmpeg', ...words]
  const { stdout, stderr } = await run(command[0] ?? '', command.slice(1), { ...more, encoding: 'buffer' })
  const times = [...stderr.toString().matchAll(/\bpts_time:([\d.]+)/g)].map(match => Number(match[1]))
  if (times.length * CELLS !== stdout.length) throw new Error(`${times.length} pictures in ${stdout.length} bytes`)
  return times.flatMap((atS, picture) => {
    const counter = decodeCounter([...stdout.subarray(picture * CELLS, (picture + 1) * CELLS)].map(cell => (cell > 128 ? 1 : 0)))
    return counter === null ? [] : [{ atS, counter }]
  })
}

export interface RecordedTrack {
  codec: string
  // Where its last sample ends (of sound: begins, where it does not tell its length), and how many there are.
  seconds: number
  samples: number
}

// The playlist's tracks, pictures first, measured from their samples and not from what a header says.
export async function probeTracks(context: BrowserContext, origin: string, playlist: string, namespace?: string): Promise<RecordedTrack[]> {
  const headers = await cookieHeader(context, origin)
  const shown = 'stream=index,codec_name,codec_type:packet=stream_index,pts_time,duration_time'
  const probed = await program('ffprobe', namespace, ['-v', 'error', '-headers', headers, '-show_entries', shown, '-of', 'json', origin + playlist])
  const { streams, packets } = JSON.parse(probed.stdout) as {
    streams: { index: number, codec_name: string, codec_type: string }[]
    packets: { stream_index: number, pts_time: string, duration_time?: string }[]
  }
  return streams
    .sort((a, b) => b.codec_type.localeCompare(a.codec_type))
    .map(({ index, codec_name }) => {
      const own = packets.filter(packet => packet.stream_index === index)
      return { codec: codec_name, samples: own.length, seconds: Math.max(0, ...own.map(packet => Number(packet.pts_time) + Number(packet.duration_time ?? 0))) }
    })
}

// Decodes every track from end to end and returns ffmpeg's messages. Each sample keeps its own time:
// at a made-up constant frame rate two pictures of a live lesson may fall on one tick, which ffmpeg calls an error.
export async function decodeErrors(context: BrowserContext, origin: string, playlist: string, namespace?: string): Promise<string> {
  const headers = await cookieHeader(context, origin)
  const decoded = await program('ffmpeg', namespace, ['-v', 'error', '-headers', headers, '-i', origin + playlist, '-fps_mode', 'passthrough', '-enc_time_base', '-1', '-f', 'null', '-'])
    .catch((error: { stderr?: string }) => ({ stderr: error.stderr ?? 'ffmpeg failed' }))
  return decoded.stderr ?? ''
}

const STABLE_POLLS = 5

// Seeks a paused replay by its voice, or a plain file by itself, and returns where it stands and the counter that the
// picture shows there.
export async function counterAt(page: Page, selector: string, second: number): Promise<{ second: number, counter: number }> {
  const before = (await page.evaluate(shownFrames, selector)).length
  await page.evaluate(([voice, picture, to]) => {
    const sought = document.querySelector<HTMLMediaElement>(voice) ?? document.querySelector<HTMLMediaElement>(picture)
    if (sought !== null) sought.currentTime = to
  }, [VOICE, selector, second] as const)
  // A picture from before the seek may be drawn late: the picture counts once it stayed the same for some polls.
  let polls = 0
  let seen = before
  for (let tries = 0; tries < 100; tries++) {
    const frames = await page.evaluate(shownFrames, selector)
    const shown = frames.slice(before).at(-1)
    const state = await page.evaluate(where => {
      const video = document.querySelector<HTMLVideoElement>(where)
      return video === null ? null : { seeking: video.seeking, at: video.currentTime }
    }, selector)
    const stands = state !== null && !state.seeking && Math.abs(state.at - second) < 0.05 && frames.length === seen
    polls = stands ? polls + 1 : 0
    seen = frames.length
    if (polls >= STABLE_POLLS && shown !== undefined && shown[1] >= 0) return { second: state?.at ?? Number.NaN, counter: shown[1] }
    await page.waitForTimeout(100)
  }
  throw new Error(`no picture at ${second} s`)
}
