import type { ScalabilityMode, VideoCodec } from './codec'
import type { Credentials, LineState } from './connection'
import { orderVideoCodecs, orderVoiceCodecs, repeatVoice } from './codec'
import { heardFigure, MediaConnection } from './connection'

/** TypeScript's RTCRtpEncodingParameters lacks scalabilityMode. */
export type ScalableEncoding = RTCRtpEncodingParameters & { scalabilityMode?: ScalabilityMode | undefined }

/** The camera's session carries the voice too; the board's carries pictures alone. */
export type PublishedTrack = 'camera' | 'board'

export interface Publication {
  voice: MediaStreamTrack | null
  video: MediaStreamTrack | null
}

export interface PublisherOptions {
  track: PublishedTrack
  /** Offers only this video codec. `null`: the best that browser and hub share. */
  codec: VideoCodec | null
  /** Sends the camera in one scalable encoding. `null`: simulcast in two sizes. */
  layers: ScalabilityMode | null
  url(): string
  credentials: Credentials
  onState(state: LineState): void
}

/** A moving face at 720p, and the same at 360p. With the lower layer it is what a school's uplink carries beside the board. */
const CAMERA_MAX_BPS = 1_200_000
const CAMERA_360P_MAX_BPS = 600_000
/** 180p: the camera's layer for classrooms on a slow line. */
const CAMERA_LOW_MAX_BPS = 150_000
/** Two temporal layers: every second picture can be left out on a slow or lossy line. */
const HALVES: ScalabilityMode = 'L1T2'
/** Below this height a second layer would be too small. */
const LAYERED_FROM_HEIGHT = 360
/** Small writing at 1080p, rarely moving. */
const BOARD_MAX_BPS = 1_500_000
const BOARD_MAX_FPS = 15
const VOICE_MAX_BPS = 40_000
/** Feedback on a camera's packets comes ten times a second; four seconds without is a dead line. */
const CAMERA_SILENCE_MS = 4_000
/** A still board causes little feedback: only consent checks, every 2.5 s at the slowest. */
const BOARD_SILENCE_MS = 8_000

/** Sends one WHIP session's tracks and keeps on sending them until closed. */
export class WhipPublisher {
  private readonly line: MediaConnection
  /** Voice and camera under one name (msid), so that receivers keep lips and words together. */
  private readonly stream = new MediaStream()
  private publication: Publication = { voice: null, video: null }
  private senders: { voice: RTCRtpSender | null, video: RTCRtpSender | null } = { voice: null, video: null }

  constructor(private readonly options: PublisherOptions) {
    const board = options.track === 'board'
    this.line = new MediaConnection({
      url: () => `${options.url()}?track=${options.track}`,
      credentials: options.credentials,
      onState: options.onState,
      lingers: false,
      silenceMs: board ? BOARD_SILENCE_MS : CAMERA_SILENCE_MS,
      prepare: peer => this.prepare(peer),
      describe: repeatVoice,
      settled: () => this.limit(),
      pulse: async peer => heardFigure(await peer.getStats()),
      feelEveryMs: 150,
      // The hub reports every 60 ms.
      quietMs: 400,
    })
  }

  start(publication: Publication): void {
    this.publication = publication
    this.line.open()
  }

  /** Replaces the sent device by another one or none, without renegotiation. */
  async replace(publication: Publication): Promise<void> {
    this.publication = publication
    await Promise.all([
      this.senders.voice?.replaceTrack(publication.voice),
      this.senders.video?.replaceTrack(publication.video),
    ])
  }

  /** Reconnects at once; called when the hub is known to have lost this session. */
  restart(): void {
    this.line.restart()
  }

  nudge(): void {
    this.line.nudge()
  }

  close(): void {
    this.line.close()
    this.senders = { voice: null, video: null }
  }

  private prepare(peer: RTCPeerConnection): void {
    const { voice } = this.publication
    // Both kinds are offered even while a device is off, so that it can be switched on without a new offer.
    if (this.options.track === 'camera') {
      const transceiver = peer.addTransceiver(voice ?? 'audio', { direction: 'sendonly', streams: [this.stream] })
      transceiver.setCodecPreferences(orderVoiceCodecs(RTCRtpSender.getCapabilities('audio')?.codecs ?? []))
      this.senders.voice = transceiver.sender
    }
    const encodings = this.options.track === 'camera' ? this.cameraEncodings() : []
    const transceiver = this.addPicture(peer, encodings)
    transceiver.setCodecPreferences(orderVideoCodecs(RTCRtpSender.getCapabilities('video')?.codecs ?? [], this.options.codec))
    this.senders.video = transceiver.sender
  }

  private addPicture(peer: RTCPeerConnection, encodings: ScalableEncoding[]): RTCRtpTransceiver {
    const add = (sendEncodings: ScalableEncoding[]) => peer.addTransceiver(this.publication.video ?? 'video', {
      direction: 'sendonly',
      streams: [this.stream],
      ...sendEncodings.length > 0 && { sendEncodings },
    })
    try {
      return add(encodings)
    }
    catch {
      // No codec of this browser supports these layers: falls back to a plain encoding.
      return add(encodings.map(encoding => ({ ...encoding, scalabilityMode: undefined })))
    }
  }

  private cameraEncodings(): ScalableEncoding[] {
    const { layers } = this.options
    if (layers === null)
      return cameraLayers(this.publication.video)
    return [{ scalabilityMode: layers, maxBitrate: CAMERA_MAX_BPS }]
  }

  private async limit(): Promise<void> {
    const board = this.options.track === 'board'
    if (this.senders.voice)
      await this.limitSender(this.senders.voice, { maxBitrate: VOICE_MAX_BPS, priority: 'high', networkPriority: 'high' })
    if (this.senders.video)
      await this.limitSender(this.senders.video, board
        ? { maxBitrate: BOARD_MAX_BPS, maxFramerate: BOARD_MAX_FPS }
        : null, board ? 'maintain-resolution' : 'balanced')
  }

  /** `limits` `null`: each layer keeps the limits that it was offered with, or gets the camera's where it is alone. */
  private async limitSender(sender: RTCRtpSender, limits: RTCRtpEncodingParameters | null, preference?: RTCDegradationPreference): Promise<void> {
    const parameters = sender.getParameters()
    for (const encoding of parameters.encodings)
      Object.assign(encoding, limits ?? (parameters.encodings.length > 1 ? {} : { maxBitrate: CAMERA_MAX_BPS }))
    if (preference)
      parameters.degradationPreference = preference
    // Browsers that do not support a parameter (Firefox) send without it.
    await sender.setParameters(parameters).catch(() => {})
  }
}

/**
 * The camera's simulcast layers, the cheaper first: the hub gives each classroom the one that its line carries.
 * No layer has a frame rate of its own: Chromium would hold both to the lower one.
 * Empty: one layer only, because the picture is too small for two. A camera that is still off is assumed to be large.
 */
export function cameraLayers(video: MediaStreamTrack | null): ScalableEncoding[] {
  const height = video?.getSettings().height ?? 720
  if (height < LAYERED_FROM_HEIGHT)
    return []
  const large = height > 480
  return [
    { rid: 'q', scalabilityMode: HALVES, scaleResolutionDownBy: large ? 4 : 2, maxBitrate: CAMERA_LOW_MAX_BPS },
    { rid: 'h', scalabilityMode: HALVES, scaleResolutionDownBy: 1, maxBitrate: large ? CAMERA_MAX_BPS : CAMERA_360P_MAX_BPS },
  ]
}
