import type { ComputedRef, Ref } from 'vue'
import type { LessonView } from '../api/model'
import type { LessonHandle } from '../live/use-lesson'
import type { ScalabilityMode, VideoCodec } from '../media/codec'
import type { LineState } from '../media/connection'
import type { DeskDevices } from './use-devices'
import { computed, onScopeDispose, readonly, shallowRef, watch } from 'vue'
import { admitByCookie, useLesson } from '../live/use-lesson'
import { WhipPublisher } from '../media/publish'

export interface Teaching extends LessonHandle {
  /** The newest state from socket and requests. */
  now: ComputedRef<LessonView>
  learn: (lesson: LessonView) => void
  camera: Readonly<Ref<LineState>>
  board: Readonly<Ref<LineState>>
}

/**
 * The teacher's seat: the devices are sent only while the lesson is live.
 *
 * `codec`, `layers`: from the address. `null`: the best codec that browser and hub share; simulcast in two sizes.
 */
export function useTeaching(first: LessonView, devices: DeskDevices, codec: VideoCodec | null, layers: ScalabilityMode | null): Teaching {
  const told = shallowRef(first)
  const camera = shallowRef<LineState>({ kind: 'closed' })
  const board = shallowRef<LineState>({ kind: 'closed' })
  let welcomes = 0

  const handle = useLesson(() => admitByCookie(first.lesson_id), () => {
    welcomes += 1
    if (welcomes > 1)
      resendWhatWasLost()
  })

  const publisher = (track: 'camera' | 'board', state: Ref<LineState>) => new WhipPublisher({
    track,
    codec,
    layers,
    url: () => handle.admission()?.whipUrl ?? `/whip/${encodeURIComponent(first.lesson_id)}`,
    credentials: handle.credentials,
    onState: next => state.value = next,
  })
  const cameraPublisher = publisher('camera', camera)
  const boardPublisher = publisher('board', board)

  /** A restarted hub has the seat but no media: it reports no flow while this side sends. */
  function resendWhatWasLost(): void {
    const { voice, camera: face, board: writing } = handle.slots.value
    if (camera.value.kind === 'up' && !voice.flowing && !face.flowing)
      cameraPublisher.restart()
    if (board.value.kind === 'up' && !writing.flowing)
      boardPublisher.restart()
    cameraPublisher.nudge()
    boardPublisher.nudge()
  }

  watch(handle.lesson, (lesson) => {
    if (lesson)
      told.value = lesson
  })
  const now = computed(() => told.value)

  const sends = computed(() => now.value.state === 'live' && handle.connection.value.kind !== 'over' && handle.connection.value.kind !== 'refused')
  const voice = devices.microphone.track
  const face = devices.camera.track
  const writing = devices.board.track

  watch([sends, voice, face], ([send, voiceTrack, faceTrack], [sent]) => {
    const publication = { voice: voiceTrack, video: faceTrack }
    if (!send)
      cameraPublisher.close()
    else if (sent)
      void cameraPublisher.replace(publication)
    else
      cameraPublisher.start(publication)
  }, { immediate: true })

  watch([sends, writing], ([send, track]) => {
    if (!send || track === null)
      boardPublisher.close()
    else if (board.value.kind === 'closed')
      boardPublisher.start({ voice: null, video: track })
    else
      void boardPublisher.replace({ voice: null, video: track })
  }, { immediate: true })

  onScopeDispose(() => {
    cameraPublisher.close()
    boardPublisher.close()
  })

  return { ...handle, now, learn: lesson => told.value = lesson, camera: readonly(camera) as Readonly<Ref<LineState>>, board: readonly(board) as Readonly<Ref<LineState>> }
}
