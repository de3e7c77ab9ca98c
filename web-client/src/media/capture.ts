export type CameraSize = '720p' | '360p'

export type CaptureFault = 'denied' | 'missing' | 'busy' | 'unsupported' | 'cancelled'

/** Why a camera, microphone or screen is not available; keys of the page's texts. */
export class CaptureError extends Error {
  constructor(readonly fault: CaptureFault, cause: unknown) {
    super(fault, { cause })
  }
}

const CAMERA_SIZES: Record<CameraSize, MediaTrackConstraints> = {
  '720p': { width: { ideal: 1280, max: 1280 }, height: { ideal: 720, max: 720 }, frameRate: { ideal: 25, max: 30 } },
  '360p': { width: { ideal: 640, max: 640 }, height: { ideal: 360, max: 360 }, frameRate: { ideal: 25, max: 25 } },
}

/** `deviceId` `null`: the browser's default. */
export async function openCamera(deviceId: string | null, size: CameraSize): Promise<MediaStreamTrack> {
  const stream = await openUserMedia({ video: { ...CAMERA_SIZES[size], ...exactly(deviceId) } })
  return hinted(only(stream.getVideoTracks()), 'motion')
}

export async function openMicrophone(deviceId: string | null): Promise<MediaStreamTrack> {
  const stream = await openUserMedia({
    audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...exactly(deviceId) },
  })
  return hinted(only(stream.getAudioTracks()), 'speech')
}

/** Lets the teacher choose a screen, a window or a tab. Its audio is not captured: bandwidth is reserved for the voice. */
export async function openBoard(): Promise<MediaStreamTrack> {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { width: { max: 1920 }, height: { max: 1080 }, frameRate: { max: 15 } },
      audio: false,
    })
    return hinted(only(stream.getVideoTracks()), 'detail')
  }
  catch (error) {
    const fault = faultOf(error)
    // The browser's picker was cancelled: not an error.
    throw new CaptureError(fault === 'denied' ? 'cancelled' : fault, error)
  }
}

export interface Devices {
  cameras: MediaDeviceInfo[]
  microphones: MediaDeviceInfo[]
}

export async function listDevices(): Promise<Devices> {
  const devices = await navigator.mediaDevices?.enumerateDevices().catch(() => []) ?? []
  const named = devices.filter(device => device.deviceId !== '')
  return {
    cameras: named.filter(device => device.kind === 'videoinput'),
    microphones: named.filter(device => device.kind === 'audioinput'),
  }
}

async function openUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia(constraints)
  }
  catch (error) {
    throw new CaptureError(faultOf(error), error)
  }
}

function exactly(deviceId: string | null): MediaTrackConstraints {
  // `ideal`, so that an unplugged camera falls back to another one.
  return deviceId === null ? {} : { deviceId: { ideal: deviceId } }
}

function only(tracks: MediaStreamTrack[]): MediaStreamTrack {
  const track = tracks[0]
  if (!track)
    throw new CaptureError('missing', null)
  return track
}

function hinted(track: MediaStreamTrack, hint: string): MediaStreamTrack {
  track.contentHint = hint
  return track
}

function faultOf(error: unknown): CaptureFault {
  if (error instanceof CaptureError)
    return error.fault
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied'
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing'
    case 'NotReadableError':
    case 'AbortError':
      return 'busy'
    default:
      // `mediaDevices` is undefined on a page that came without TLS.
      return 'unsupported'
  }
}
