import type { Ref } from 'vue'
import type { CameraSize, CaptureFault, Devices } from '../media/capture'
import { useEventListener, useLocalStorage } from '@vueuse/core'
import { computed, onScopeDispose, readonly, shallowRef } from 'vue'
import { CaptureError, listDevices, openBoard, openCamera, openMicrophone } from '../media/capture'

export type DeskDevice
  = | { kind: 'off' }
    | { kind: 'opening' }
    | { kind: 'on', track: MediaStreamTrack }
    | { kind: 'failed', fault: CaptureFault }

class CaptureSource {
  readonly state = shallowRef<DeskDevice>({ kind: 'off' })
  readonly track = computed(() => this.state.value.kind === 'on' ? this.state.value.track : null)
  private turn = 0

  /** `ended`: the state when the browser ends the track. */
  constructor(private readonly open: () => Promise<MediaStreamTrack>, private readonly ended: DeskDevice) {}

  async on(): Promise<void> {
    const turn = ++this.turn
    const before = this.track.value
    this.state.value = { kind: 'opening' }
    try {
      const track = await this.open()
      if (turn !== this.turn) {
        track.stop()
        return
      }
      track.addEventListener('ended', () => {
        if (this.track.value === track)
          this.state.value = this.ended
      })
      this.state.value = { kind: 'on', track }
      before?.stop()
    }
    catch (error) {
      const fault = error instanceof CaptureError ? error.fault : 'unsupported'
      if (turn !== this.turn)
        return
      if (fault === 'cancelled')
        this.state.value = before?.readyState === 'live' ? { kind: 'on', track: before } : { kind: 'off' }
      else
        this.state.value = { kind: 'failed', fault }
    }
  }

  /** Releases the device, so that its light goes off. */
  off(): void {
    this.turn += 1
    this.track.value?.stop()
    this.state.value = { kind: 'off' }
  }
}

export interface DeskDevices {
  camera: CaptureSource
  microphone: CaptureSource
  board: CaptureSource
  /** The microphone is muted but stays open, so that unmuting has no delay. */
  silenced: Readonly<Ref<boolean>>
  silence: (silent: boolean) => void
  found: Readonly<Ref<Devices>>
  cameraId: Ref<string | null>
  microphoneId: Ref<string | null>
  size: Ref<CameraSize>
  close: () => void
}

/** The teacher's camera, microphone and board. `size`: from the address; takes precedence over the last choice. */
export function useDevices(size: CameraSize | null): DeskDevices {
  const cameraId = useLocalStorage<string | null>('tongke.camera', null)
  const microphoneId = useLocalStorage<string | null>('tongke.microphone', null)
  const chosenSize = useLocalStorage<CameraSize>('tongke.camera-size', '720p')
  const askedSize = shallowRef(size)
  const found = shallowRef<Devices>({ cameras: [], microphones: [] })
  const silenced = shallowRef(false)

  const sizeNow = computed<CameraSize>({
    get: () => askedSize.value ?? (chosenSize.value === '360p' ? '360p' : '720p'),
    set: (next) => {
      askedSize.value = null
      chosenSize.value = next
    },
  })

  const refresh = async () => found.value = await listDevices()
  // Browsers reveal device names only after permission was given.
  const thenLook = async (track: Promise<MediaStreamTrack>) => {
    const opened = await track
    void refresh()
    return opened
  }

  const camera = new CaptureSource(() => thenLook(openCamera(cameraId.value, sizeNow.value)), { kind: 'failed', fault: 'missing' })
  const microphone = new CaptureSource(async () => {
    const track = await thenLook(openMicrophone(microphoneId.value))
    track.enabled = !silenced.value
    return track
  }, { kind: 'failed', fault: 'missing' })
  const board = new CaptureSource(openBoard, { kind: 'off' })

  function silence(silent: boolean): void {
    silenced.value = silent
    if (microphone.track.value)
      microphone.track.value.enabled = !silent
  }

  function close(): void {
    camera.off()
    microphone.off()
    board.off()
  }

  if (navigator.mediaDevices)
    useEventListener(navigator.mediaDevices, 'devicechange', () => void refresh())
  void refresh()
  onScopeDispose(close)

  return { camera, microphone, board, silenced: readonly(silenced), silence, found: readonly(found) as Readonly<Ref<Devices>>, cameraId, microphoneId, size: sizeNow, close }
}
