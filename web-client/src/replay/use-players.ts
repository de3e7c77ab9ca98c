import type { Staging } from '../playback/tracks'
import { computed, onMounted, onScopeDispose, readonly, ref, shallowRef } from 'vue'
import { SteppedPlayers } from '../playback/players'

export const SPEEDS: readonly number[] = [0.5, 0.75, 1, 1.25, 1.5, 2]
/** Distance from the live edge: segments come every four seconds and are polled as often; closer would stall. */
const EDGE_S = 10
/** Within this of the live edge playback counts as live. */
const NEAR_EDGE_S = 20
/** One picture of a camera; a board has fewer, so a step may show the same one twice. */
const PICTURE_S = 0.04

/** Pictures dropped because the line is too slow. */
export interface Dropped {
  kinds: readonly string[]
  /** The line would carry them again. */
  room: boolean
}

/**
 * The players of a recording, as a page needs them.
 *
 * `elements` is called once, after mounting; `knownS`: duration by the manifest; `growing`:
 * the recording still becomes longer.
 */
export function usePlayers(staging: Staging, startS: number, elements: () => ReadonlyMap<string, HTMLMediaElement>, knownS: () => number, growing: () => boolean) {
  const players = shallowRef<SteppedPlayers | null>(null)
  const atS = ref(startS)
  const mediaS = ref(0)
  const playing = ref(false)
  const waiting = ref(true)
  const broken = ref(false)
  const dropped = shallowRef<Dropped>({ kinds: [], room: false })
  const speed = ref(1)
  // A growing recording is as long as what can be played of it; its manifest runs ahead of the playlists.
  const durationS = computed(() => mediaS.value > 0 && growing() ? mediaS.value : Math.max(mediaS.value, knownS()))
  const behindS = computed(() => Math.max(0, durationS.value - atS.value))
  const atEdge = computed(() => behindS.value < NEAR_EDGE_S)

  onMounted(() => {
    players.value = new SteppedPlayers(staging, elements(), startS, {
      onTime: (now, duration) => {
        atS.value = now
        mediaS.value = duration
        // Caught up with the live edge: continues at normal speed.
        if (growing() && speed.value > 1 && duration - now < EDGE_S)
          setSpeed(1)
      },
      onPlaying: next => playing.value = next,
      onWaiting: next => waiting.value = next,
      onBroken: next => broken.value = next,
      onDropped: (kinds, room) => dropped.value = { kinds, room },
    })
  })
  onScopeDispose(() => players.value?.close())

  function toggle(): void {
    if (playing.value)
      players.value?.pause()
    else
      void players.value?.play()
  }

  function seek(toS: number): void {
    // The last step of the range input may be beyond the end.
    players.value?.seek(Math.min(toS, Math.max(0, durationS.value - PICTURE_S)))
  }

  function toEnd(): void {
    seek(growing() ? durationS.value - EDGE_S : durationS.value)
  }

  function setSpeed(next: number): void {
    speed.value = next
    players.value?.setSpeed(next)
  }

  function changeSpeed(steps: number): void {
    const at = SPEEDS.indexOf(speed.value) + steps
    setSpeed(SPEEDS[Math.min(Math.max(0, at), SPEEDS.length - 1)] ?? 1)
  }

  function stepPictures(pictures: number): void {
    if (!playing.value)
      seek(atS.value + pictures * PICTURE_S)
  }

  return {
    atS: readonly(atS), durationS, behindS, atEdge, playing: readonly(playing), waiting: readonly(waiting), broken: readonly(broken),
    dropped, speed: readonly(speed), toggle, seek, toEnd, setSpeed, changeSpeed, stepPictures, restore: () => players.value?.restore(),
  }
}
