import type { VideoCodec } from './codec'
import type { Credentials, LineState } from './line'
import { orderVideoCodecs, orderVoiceCodecs, repeatVoice } from './codec'
import { heardFigure, Line } from './line'

/** The camera's session carries the voice too; the board's carries pictures alone. */
export type PublishedTrack = 'camera' | 'board'

export interface Publication {
  voice: MediaStreamTrack | null
  video: MediaStreamTrack | null
}

export interface PublisherOptions {
  track: PublishedTrack
  /** The pictures go out in this codec alone. `null`: in the best that browser and hub share. */
  codec: VideoCodec | null
  url(): string
  credentials: Credentials
  onState(state: LineState): void
}

/** A voice and a moving face at 720p; what a school's uplink carries beside the board. */
const CAMERA_MAX_BPS = 1_200_000
/** Small writing at 1080p, rarely moving. */
const BOARD_MAX_BPS = 1_500_000
const BOARD_MAX_FPS = 15
const VOICE_MAX_BPS = 40_000
/** Feedback on a camera's packets comes ten times a second; four seconds without is a dead line. */
const CAMERA_SILENCE_MS = 4_000
/** A still board sends little, so little comes back: only consent checks, every 2.5 s at the slowest. */
const BOARD_SILENCE_MS = 8_000

/** Sends one WHIP session's tracks and keeps on sending them until closed. */
export class WhipPublisher {
  private readonly line: Line
  /** Voice and camera under one name (msid), so that receivers keep lips and words together. */
  private readonly stream = new MediaStream()
  private publication: Publication = { voice: null, video: null }
  private senders: { voice: RTCRtpSender | null, video: RTCRtpSender | null } = { voice: null, video: null }

  constructor(private readonly options: PublisherOptions) {
    const board = options.track === 'board'
    this.line = new Line({
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

  /** Another device, or none, in the place of the one that is sent; the line stays as it is. */
  async replace(publication: Publication): Promise<void> {
    this.publication = publication
    await Promise.all([
      this.senders.voice?.replaceTrack(publication.voice),
      this.senders.video?.replaceTrack(publication.video),
    ])
  }

  /** For someone who knows that the hub no longer has this session. */
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
    const { voice, video } = this.publication
    // Both kinds stand in the offer even while a device is off: it can be switched on without a new offer.
    if (this.options.track === 'camera') {
      const transceiver = peer.addTransceiver(voice ?? 'audio', { direction: 'sendonly', streams: [this.stream] })
      transceiver.setCodecPreferences(orderVoiceCodecs(RTCRtpSender.getCapabilities('audio')?.codecs ?? []))
      this.senders.voice = transceiver.sender
    }
    const transceiver = peer.addTransceiver(video ?? 'video', { direction: 'sendonly', streams: [this.stream] })
    transceiver.setCodecPreferences(orderVideoCodecs(RTCRtpSender.getCapabilities('video')?.codecs ?? [], this.options.codec))
    this.senders.video = transceiver.sender
  }

  private async limit(): Promise<void> {
    const board = this.options.track === 'board'
    if (this.senders.voice)
      await this.limitSender(this.senders.voice, { maxBitrate: VOICE_MAX_BPS, priority: 'high', networkPriority: 'high' })
    if (this.senders.video)
      await this.limitSender(this.senders.video, board
        ? { maxBitrate: BOARD_MAX_BPS, maxFramerate: BOARD_MAX_FPS }
        : { maxBitrate: CAMERA_MAX_BPS }, board ? 'maintain-resolution' : 'balanced')
  }

  private async limitSender(sender: RTCRtpSender, limits: RTCRtpEncodingParameters, preference?: RTCDegradationPreference): Promise<void> {
    const parameters = sender.getParameters()
    for (const encoding of parameters.encodings)
      Object.assign(encoding, limits)
    if (preference)
      parameters.degradationPreference = preference
    // A browser that knows a parameter not (Firefox) still sends well without it.
    await sender.setParameters(parameters).catch(() => {})
  }
}
