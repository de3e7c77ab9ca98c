import type { Codec } from './codec'
import { expect, it, vi } from 'vitest'
import { orderVideoCodecs, orderVoiceCodecs, readScalabilityMode, readVideoCodec, repeatVoice, withDependencies } from './codec'

const h264 = (profile: string, mode: number) =>
  ({ mimeType: 'video/H264', sdpFmtpLine: `level-asymmetry-allowed=1;packetization-mode=${mode};profile-level-id=${profile}` })

it('offers what can be recorded first, and keeps retransmission', () => {
  const browser = [
    { mimeType: 'video/VP8' },
    { mimeType: 'video/rtx' },
    { mimeType: 'video/VP9', sdpFmtpLine: 'profile-id=0' },
    { mimeType: 'video/VP9', sdpFmtpLine: 'profile-id=2' },
    h264('42001f', 1),
    h264('42001f', 0),
    h264('42e01f', 1),
    h264('42e01f', 0),
    h264('4d001f', 1),
    { mimeType: 'video/AV1' },
    { mimeType: 'video/red' },
    { mimeType: 'video/ulpfec' },
  ]
  expect(orderVideoCodecs(browser).map((codec: Codec) => [codec.mimeType, codec.sdpFmtpLine?.replace(/^level.*;packetization/, 'packetization')])).toEqual([
    ['video/H264', 'packetization-mode=1;profile-level-id=42e01f'],
    ['video/H264', 'packetization-mode=1;profile-level-id=42001f'],
    ['video/H264', 'packetization-mode=1;profile-level-id=4d001f'],
    ['video/H264', 'packetization-mode=0;profile-level-id=42e01f'],
    ['video/H264', 'packetization-mode=0;profile-level-id=42001f'],
    ['video/VP9', 'profile-id=0'],
    ['video/VP9', 'profile-id=2'],
    ['video/AV1', undefined],
    ['video/VP8', undefined],
    ['video/rtx', undefined],
  ])
})

it('offers the one codec that the address asks for, if the browser has it', () => {
  const browser = [{ mimeType: 'video/VP8' }, { mimeType: 'video/rtx' }, { mimeType: 'video/VP9' }, { mimeType: 'video/H264' }]
  const offered = (codec: unknown) => orderVideoCodecs(browser, readVideoCodec(codec)).map(({ mimeType }) => mimeType)
  expect(offered('vp9')).toEqual(['video/VP9', 'video/rtx'])
  const all = ['video/H264', 'video/VP9', 'video/VP8', 'video/rtx']
  expect(offered('av1')).toEqual(all)
  expect(offered('h266')).toEqual(all)
  expect(offered(undefined)).toEqual(all)
})

it('speaks Opus and nothing beside it', () => {
  const browser = [{ mimeType: 'audio/opus' }, { mimeType: 'audio/red' }, { mimeType: 'audio/PCMU' }]
  expect(orderVoiceCodecs(browser)).toEqual([{ mimeType: 'audio/opus' }])
})

it('promises to repeat voice, once', () => {
  const offer = 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n'
  const described = repeatVoice(offer)
  expect(described).toBe(offer.replace('a=rtcp-fb:111 t', 'a=rtcp-fb:111 nack\r\na=rtcp-fb:111 t'))
  expect(repeatVoice(described)).toBe(described)
  expect(repeatVoice('m=video 9\r\na=rtpmap:96 VP8/90000\r\n')).not.toContain('nack')
})

it('the layers that an address asks for are known ones or none', () => {
  expect(readScalabilityMode('L3T3_KEY')).toBe('L3T3_KEY')
  expect(['L4T1', 'S2T1', '', null, 'L1T3h'].map(readScalabilityMode)).toEqual([null, null, null, null, null])
})

it('a picture that is received offers the dependency descriptor where the browser knows it', () => {
  const uri = 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension'
  const set = vi.fn()
  const transceiver = {
    getHeaderExtensionsToNegotiate: () => [{ uri: 'urn:other', direction: 'stopped' }, { uri, direction: 'stopped' }],
    setHeaderExtensionsToNegotiate: set,
  } as unknown as RTCRtpTransceiver
  expect(withDependencies(transceiver)).toBe(transceiver)
  expect(set).toHaveBeenCalledWith([{ uri: 'urn:other', direction: 'stopped' }, { uri, direction: 'sendrecv' }])
  expect(() => withDependencies({} as RTCRtpTransceiver)).not.toThrow()
})
