import type { Ref } from 'vue'
import type { SeatView } from '../api/model'
import type { LineState } from '../media/connection'
import type { LineQuality, Totals } from '../media/quality'
import type { Reception } from '../media/receive'
import type { Admission } from './lesson-session'
import type { LessonTie } from './use-lesson'
import { useEventListener, useIntervalFn } from '@vueuse/core'
import { computed, onScopeDispose, readonly, shallowRef, watch } from 'vue'
import { Drawn } from '../media/drawn'
import { OnScreen } from '../media/on-screen'
import { judge, reportBetween, totalsOf } from '../media/quality'
import { WhepReceiver } from '../media/receive'
import { useLesson } from './use-lesson'

/** The hub's contract: one report every five seconds. */
const REPORT_EVERY_MS = 5_000
/** A picture that stands still this long wants a sentence beside it, before the line is given up. */
const STALLED_MS = 2_500

/** What a watcher's page shows, and nothing it has to put together itself. */
export type Watching
  = | { kind: 'entering' }
    /** Seated; the teacher has not begun. */
    | { kind: 'before' }
    /** Pictures or voice are coming. */
    | { kind: 'live' }
    /** The lesson is on, this place's line is not. */
    | { kind: 'cut', sinceMs: number }
    /** This place's line is fine, the teacher's is not. */
    | { kind: 'teacher-cut', sinceMs: number }
    | { kind: 'after' }
    | { kind: 'replaced' }
    | { kind: 'refused', status: number, detail: string }

export interface ReceptionTie extends LessonTie {
  watching: Readonly<Ref<Watching>>
  line: Readonly<Ref<LineState>>
  quality: Readonly<Ref<LineQuality>>
  reception: Readonly<Ref<Reception | null>>
  /** The pictures that come: those that flow and find room on this place's line. */
  shown: Readonly<Ref<{ board: boolean, camera: boolean }>>
  /** Told by whoever plays the streams: is the voice heard? */
  playing: Ref<boolean>
  /** Follows what whoever draws the pictures has drawn. */
  drawn: Drawn
}

/** A seat that watches: socket, media, and the report on how it goes. */
export function useReception(admit: () => Promise<Admission>): ReceptionTie {
  const line = shallowRef<LineState>({ kind: 'closed' })
  const quality = shallowRef<LineQuality>('good')
  const reception = shallowRef<Reception | null>(null)
  const playing = shallowRef(false)
  const lastUpMs = shallowRef(Date.now())
  const lastFlowMs = shallowRef(Date.now())
  /** The line counts as up, and still nothing comes. */
  const stalled = shallowRef(false)
  let lastPacketMs = 0
  let latest: Totals | null = null
  let reported: Totals | null = null
  const drawn = new Drawn()
  const screen = new OnScreen(Date.now())
  let drawnReported = 0
  let welcomes = 0

  const tie = useLesson(admit, onWelcome)

  // A board that nobody writes on may rightly send nothing.
  const steadyFlows = () => tie.slots.value.voice.flowing || tie.slots.value.camera.flowing
  const anyFlows = computed(() => steadyFlows() || tie.slots.value.board.flowing)
  const shown = computed(() => ({
    board: tie.slots.value.board.flowing && !tie.pausedKinds.value.includes('board'),
    camera: tie.slots.value.camera.flowing && !tie.pausedKinds.value.includes('camera'),
  }))
  watch(anyFlows, (flows, flowed) => {
    if (flowed && !flows)
      lastFlowMs.value = Date.now()
  })

  const receiver = new WhepReceiver({
    url: () => tie.admission()?.whepUrl ?? '',
    guestSeat: () => {
      const connection = tie.connection.value
      return tie.admission()?.seatId === null && connection.kind === 'joined' ? connection.seatId : null
    },
    credentials: tie.credentials,
    onState: (state) => {
      if (line.value.kind === 'up' && !stalled.value)
        lastUpMs.value = Date.now()
      stalled.value = false
      lastPacketMs = Date.now()
      line.value = state
    },
    onReception: streams => reception.value = streams,
    onStats: (stats, nowMs) => {
      const entries: RTCStats[] = []
      stats.forEach((entry: RTCStats) => entries.push(entry))
      const before = latest
      latest = totalsOf(entries)
      if (!steadyFlows() || before === null || latest.packetsReceived !== before.packetsReceived)
        lastPacketMs = nowMs
      const stalls = nowMs - lastPacketMs > STALLED_MS
      if (stalls && !stalled.value)
        lastUpMs.value = lastPacketMs
      stalled.value = stalls
      updateScreen(nowMs)
    },
    flowing: () => ({
      voice: tie.slots.value.voice.flowing,
      ...shown.value,
    }),
  })

  function onWelcome(own: SeatView | null): void {
    welcomes += 1
    // Coming back to a hub that started anew: our media session died with it, and waiting would show nothing.
    if (welcomes > 1 && own && !own.receiving)
      receiver.restart()
    receiver.start()
  }

  watch(() => tie.lesson.value?.state, (state) => {
    if (state === 'ended')
      receiver.close()
    else if (state === 'live')
      receiver.nudge()
  })

  // Refused for a codec that this browser lacks: another one may fit.
  watch(() => `${tie.slots.value.camera.codec} ${tie.slots.value.board.codec}`, () => receiver.nudge())

  const watching = computed<Watching>(() => {
    const connection = tie.connection.value
    const state = tie.lesson.value?.state
    if (connection.kind === 'refused')
      return { kind: 'refused', status: connection.status, detail: connection.detail }
    if (connection.kind === 'over')
      return connection.reason === 'replaced' ? { kind: 'replaced' } : { kind: 'after' }
    if (state === 'ended')
      return { kind: 'after' }
    if (state === undefined)
      return connection.kind === 'waiting' || (connection.kind === 'connecting' && connection.attempt > 0)
        ? { kind: 'cut', sinceMs: connection.sinceMs }
        : { kind: 'entering' }
    // Without the socket, media may flow on: what children see matters, not what carries the words.
    if (line.value.kind === 'refused')
      return { kind: 'refused', status: line.value.status, detail: line.value.detail }
    if (state !== 'live')
      return connection.kind === 'waiting' && line.value.kind !== 'up' ? { kind: 'cut', sinceMs: connection.sinceMs } : { kind: 'before' }
    if (line.value.kind !== 'up')
      return reception.value === null && welcomes <= 1 && line.value.kind === 'connecting' ? { kind: 'entering' } : { kind: 'cut', sinceMs: lastUpMs.value }
    if (stalled.value)
      return { kind: 'cut', sinceMs: lastUpMs.value }
    return anyFlows.value ? { kind: 'live' } : { kind: 'teacher-cut', sinceMs: lastFlowMs.value }
  })

  /** What is on the screen is told at once when it changes: attendance goes by the second. */
  function updateScreen(nowMs: number): void {
    const changed = screen.update(nowMs, {
      visible: document.visibilityState === 'visible',
      playing: playing.value,
      drawn: drawn.pictures ?? latest?.framesDecoded ?? 0,
      heard: latest === null ? 0 : latest.samples - latest.concealedSamples,
      expectsPicture: shown.value.camera,
    })
    if (changed)
      report(nowMs)
  }

  function report(nowMs: number): void {
    // What cannot be told now is told with what comes after it.
    if (latest === null || tie.lesson.value?.state === 'ended' || tie.connection.value.kind !== 'joined')
      return
    const pictures = drawn.pictures
    const told = reportBetween(reported, latest, {
      visible: document.visibilityState === 'visible',
      playing: playing.value,
      shown: screen.takeReport(nowMs),
      drawn: pictures === null ? null : pictures - drawnReported,
    })
    reported = latest
    drawnReported = pictures ?? 0
    quality.value = judge(told)
    tie.session.send({ type: 'report', ...told })
  }

  useEventListener(document, 'visibilitychange', () => updateScreen(Date.now()))
  watch(playing, () => updateScreen(Date.now()))
  useIntervalFn(() => {
    const nowMs = Date.now()
    updateScreen(nowMs)
    report(nowMs)
  }, REPORT_EVERY_MS)

  onScopeDispose(() => receiver.close())

  return {
    ...tie,
    watching,
    line: readonly(line) as Readonly<Ref<LineState>>,
    quality: readonly(quality) as Readonly<Ref<LineQuality>>,
    reception: readonly(reception) as Readonly<Ref<Reception | null>>,
    shown,
    playing,
    drawn,
  }
}
