import type { Ref } from 'vue'
import type { SeatView } from '../api/model'
import type { Problem } from '../api/problem'
import type { LineState } from '../media/connection'
import type { LineQuality, Totals } from '../media/quality'
import type { Reception } from '../media/receive'
import type { Admission } from './lesson-session'
import type { LessonHandle } from './use-lesson'
import { useEventListener, useIntervalFn } from '@vueuse/core'
import { computed, onScopeDispose, readonly, shallowRef, watch } from 'vue'
import { Drawn } from '../media/drawn'
import { OnScreen } from '../media/on-screen'
import { judge, reportBetween, totalsOf } from '../media/quality'
import { WhepReceiver } from '../media/receive'
import { useLesson } from './use-lesson'

/** Report interval, as the hub expects it. */
const REPORT_EVERY_MS = 5_000
/** Without packets for this long the page says so, before the connection is replaced. */
const STALLED_MS = 2_500

/** Complete state of a watching page. */
export type Watching
  = | { kind: 'entering' }
    /** Seated; the teacher has not begun. */
    | { kind: 'before' }
    /** Pictures or voice are coming. */
    | { kind: 'live' }
    /** The lesson is live, this end's connection is down. */
    | { kind: 'cut', sinceMs: number }
    /** This end's connection is up, the teacher's is down. */
    | { kind: 'teacher-cut', sinceMs: number }
    | { kind: 'after' }
    | { kind: 'replaced' }
    | { kind: 'refused', problem: Problem }

export interface ReceptionHandle extends LessonHandle {
  watching: Readonly<Ref<Watching>>
  line: Readonly<Ref<LineState>>
  quality: Readonly<Ref<LineQuality>>
  reception: Readonly<Ref<Reception | null>>
  /** The pictures received: those that flow and are not paused. */
  shown: Readonly<Ref<{ board: boolean, camera: boolean }>>
  /** Set by the component that plays the voice: it is audible. */
  playing: Ref<boolean>
  /** Counts the pictures drawn by the component that shows them. */
  drawn: Drawn
}

/** A watching seat: socket, media, and quality reports. */
export function useReception(admit: () => Promise<Admission>): ReceptionHandle {
  const line = shallowRef<LineState>({ kind: 'closed' })
  const quality = shallowRef<LineQuality>('good')
  const reception = shallowRef<Reception | null>(null)
  const playing = shallowRef(false)
  const lastUpMs = shallowRef(Date.now())
  const lastFlowMs = shallowRef(Date.now())
  /** Connected, but no packets arrive. */
  const stalled = shallowRef(false)
  let lastPacketMs = 0
  let latest: Totals | null = null
  let reported: Totals | null = null
  const drawn = new Drawn()
  const screen = new OnScreen(Date.now())
  let drawnReported = 0
  let welcomes = 0

  const handle = useLesson(admit, onWelcome)

  // A board that does not change may send nothing.
  const steadyFlows = () => handle.slots.value.voice.flowing || handle.slots.value.camera.flowing
  const anyFlows = computed(() => steadyFlows() || handle.slots.value.board.flowing)
  const shown = computed(() => ({
    board: handle.slots.value.board.flowing && !handle.pausedKinds.value.includes('board'),
    camera: handle.slots.value.camera.flowing && !handle.pausedKinds.value.includes('camera'),
  }))
  watch(anyFlows, (flows, flowed) => {
    if (flowed && !flows)
      lastFlowMs.value = Date.now()
  })

  const receiver = new WhepReceiver({
    url: () => handle.admission()?.whepUrl ?? '',
    guestSeat: () => {
      const connection = handle.connection.value
      return handle.admission()?.seatId === null && connection.kind === 'joined' ? connection.seatId : null
    },
    credentials: handle.credentials,
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
      voice: handle.slots.value.voice.flowing,
      ...shown.value,
    }),
  })

  function onWelcome(own: SeatView | null): void {
    welcomes += 1
    // Reconnected to a restarted hub: the media session is lost and has to be opened again.
    if (welcomes > 1 && own && !own.receiving)
      receiver.restart()
    receiver.start()
  }

  watch(() => handle.lesson.value?.state, (state) => {
    if (state === 'ended')
      receiver.close()
    else if (state === 'live')
      receiver.nudge()
  })

  // After a refusal for an unsupported codec: another one may work.
  watch(() => `${handle.slots.value.camera.codec} ${handle.slots.value.board.codec}`, () => receiver.nudge())

  const watching = computed<Watching>(() => {
    const connection = handle.connection.value
    const state = handle.lesson.value?.state
    if (connection.kind === 'refused')
      return { kind: 'refused', problem: connection.problem }
    if (connection.kind === 'over')
      return connection.reason === 'replaced' ? { kind: 'replaced' } : { kind: 'after' }
    if (state === 'ended')
      return { kind: 'after' }
    if (state === undefined)
      return connection.kind === 'waiting' || (connection.kind === 'connecting' && connection.attempt > 0)
        ? { kind: 'cut', sinceMs: connection.sinceMs }
        : { kind: 'entering' }
    // Media may flow without the socket: the state follows what is on the screen.
    if (line.value.kind === 'refused')
      return { kind: 'refused', problem: line.value.problem }
    if (state !== 'live')
      return connection.kind === 'waiting' && line.value.kind !== 'up' ? { kind: 'cut', sinceMs: connection.sinceMs } : { kind: 'before' }
    if (line.value.kind !== 'up')
      return reception.value === null && welcomes <= 1 && line.value.kind === 'connecting' ? { kind: 'entering' } : { kind: 'cut', sinceMs: lastUpMs.value }
    if (stalled.value)
      return { kind: 'cut', sinceMs: lastUpMs.value }
    return anyFlows.value ? { kind: 'live' } : { kind: 'teacher-cut', sinceMs: lastFlowMs.value }
  })

  /** Reports at once when the lesson appears on the screen or leaves it, because attendance counts seconds. */
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
    // What cannot be reported now is included in the next report.
    if (latest === null || handle.lesson.value?.state === 'ended' || handle.connection.value.kind !== 'joined')
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
    handle.session.send({ type: 'report', ...told })
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
    ...handle,
    watching,
    line: readonly(line) as Readonly<Ref<LineState>>,
    quality: readonly(quality) as Readonly<Ref<LineQuality>>,
    reception: readonly(reception) as Readonly<Ref<Reception | null>>,
    shown,
    playing,
    drawn,
  }
}
