/** Preference order: first what can be recorded and decoded by hardware everywhere, last what only browsers play. */
const VIDEO_ORDER = ['video/h264', 'video/vp9', 'video/av1', 'video/vp8']
/** Constrained Baseline first: every school's PC decodes it in hardware. */
const H264_PROFILES = ['42e01f', '42001f']

/** A family of video codecs, as `?codec=` names it. */
export type VideoCodec = 'h264' | 'vp9' | 'av1' | 'vp8'

export interface Codec {
  mimeType: string
  sdpFmtpLine?: string
}

/** `?codec=vp9`: for a lesson whose classrooms lack H.264, as some Firefox do. `null`: unknown value. */
export function readVideoCodec(text: unknown): VideoCodec | null {
  const known: readonly VideoCodec[] = ['h264', 'vp9', 'av1', 'vp8']
  return known.find(codec => codec === text) ?? null
}

/**
 * The order in which a publisher's video codecs are offered: H.264 (packetization-mode 1 first), VP9, AV1, VP8,
 * then retransmission. Everything else (forward error correction, H.265) is left out.
 *
 * `alone`: only this one is offered, because the hub's answer has an order of its own. `null`, or one that the browser
 * does not have: all of them.
 */
export function orderVideoCodecs<C extends Codec>(codecs: readonly C[], alone: VideoCodec | null = null): C[] {
  const known = codecs.filter(codec => VIDEO_ORDER.includes(mime(codec)))
  const chosen = known.filter(codec => mime(codec) === `video/${alone}`)
  const offered = chosen.length > 0 ? chosen : known
  const repair = codecs.filter(codec => mime(codec) === 'video/rtx')
  return [...offered.sort((a, b) => rank(a) - rank(b)), ...repair]
}

/** Opus only: RED would double the voice's bit rate on the uplink; the hub repairs by NACK. */
export function orderVoiceCodecs<C extends Codec>(codecs: readonly C[]): C[] {
  return codecs.filter(codec => mime(codec) === 'audio/opus')
}

/**
 * Says that Opus is sent again on NACK. Chromium's offers do not say so, but it keeps its voice for 600 packets and
 * repeats what is asked for: at 10 % loss on the way up, 0.1 % stays lost instead of 9 %.
 */
export function repeatVoice(offer: string): string {
  const opus = /^a=rtpmap:(\d+) opus\/48000\/2\r?$/m.exec(offer)?.[1]
  if (opus === undefined || new RegExp(`^a=rtcp-fb:${opus} nack\\r?$`, 'm').test(offer))
    return offer
  return offer.replace(/^(a=rtpmap:\d+ opus\/48000\/2)(\r?)$/m, `$1$2\na=rtcp-fb:${opus} nack$2`)
}

const DEPENDENCY_DESCRIPTOR = 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension'

interface HeaderExtension { uri: string, direction: RTCRtpTransceiverDirection | 'stopped' }

/**
 * Offers the dependency descriptor where the browser knows it but leaves it out (Chromium does, for pictures that it
 * receives): with it a classroom on a slow line can receive part of a scalable stream.
 */
export function withDependencies<T extends RTCRtpTransceiver>(transceiver: T): T {
  const extensible = transceiver as T & {
    getHeaderExtensionsToNegotiate?: () => HeaderExtension[]
    setHeaderExtensionsToNegotiate?: (extensions: HeaderExtension[]) => void
  }
  const known = extensible.getHeaderExtensionsToNegotiate?.() ?? []
  const wanted = known.map(extension => extension.uri === DEPENDENCY_DESCRIPTOR ? { ...extension, direction: 'sendrecv' as const } : extension)
  if (known.some(extension => extension.uri === DEPENDENCY_DESCRIPTOR))
    extensible.setHeaderExtensionsToNegotiate?.(wanted)
  return transceiver
}

/** The scalability mode of the camera's encoding, as `?layers=` names it: `L1T3`, `L3T3_KEY`. */
export type ScalabilityMode = `L${1 | 2 | 3}T${1 | 2 | 3}${'' | '_KEY'}`

/** `?layers=L3T3_KEY`: one scalable encoding in place of simulcast. `null`: unknown value. */
export function readScalabilityMode(text: unknown): ScalabilityMode | null {
  return typeof text === 'string' && /^L[1-3]T[1-3](_KEY)?$/.test(text) ? text as ScalabilityMode : null
}

function mime(codec: Codec): string {
  return codec.mimeType.toLowerCase()
}

function rank(codec: Codec): number {
  const family = VIDEO_ORDER.indexOf(mime(codec)) * 100
  if (mime(codec) !== 'video/h264')
    // A codec's first profile is its plain one: keep the browser's order within the family.
    return family
  const line = codec.sdpFmtpLine?.toLowerCase() ?? ''
  const singleNal = line.includes('packetization-mode=1') ? 0 : 10
  const profile = H264_PROFILES.findIndex(id => line.includes(`profile-level-id=${id}`))
  return family + singleNal + (profile < 0 ? H264_PROFILES.length : profile)
}
