import type { GridLesson } from '../../api/timetable'
import type { DispatchVerdict } from '../../lesson-ui/use-dispatch'
import type { Place } from './grid'
import { computed, shallowRef } from 'vue'
import { useDispatch } from '../../lesson-ui/use-dispatch'
import { isSame } from './grid'

export type Move
  = | { kind: 'none' }
    | { kind: 'aiming', lesson: GridLesson, target: Place, by: 'pointer' | 'keyboard' }
    | { kind: 'asking', lesson: GridLesson, target: Place }
    | { kind: 'refused', lesson: GridLesson, target: Place, verdict: DispatchVerdict }

/** Debounce: short enough for a pointer that rests, long enough not to ask for each cell that is passed. */
const RESTS_MS = 150

/** A lesson being moved to another cell: a dry run while it hovers, saved on drop if nothing clashes. */
export function useMove(moved: (lesson: GridLesson, from: Place) => void) {
  const { tryOut, carryOut } = useDispatch()
  const move = shallowRef<Move>({ kind: 'none' })
  const hovering = shallowRef<{ target: Place, verdict: DispatchVerdict } | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined

  const home = (lesson: GridLesson): Place => ({ day: lesson.date, period: lesson.period })
  const moveOf = (lesson: GridLesson, target: Place) =>
    ({ kind: 'move', lesson_id: lesson.lesson_id, date: target.day, period: target.period, classroom_id: null }) as const

  function begin(lesson: GridLesson, by: 'pointer' | 'keyboard'): void {
    hovering.value = null
    move.value = { kind: 'aiming', lesson, target: home(lesson), by }
  }

  function aim(target: Place): void {
    const now = move.value
    if (now.kind !== 'aiming' || isSame(now.target, target))
      return
    move.value = { ...now, target }
    hovering.value = null
    clearTimeout(timer)
    if (!isSame(home(now.lesson), target)) {
      timer = setTimeout(async () => {
        const verdict = await tryOut(moveOf(now.lesson, target))
        if (move.value.kind === 'aiming' && isSame(move.value.target, target))
          hovering.value = { target, verdict }
      }, RESTS_MS)
    }
  }

  async function drop(): Promise<void> {
    const now = move.value
    clearTimeout(timer)
    if (now.kind !== 'aiming')
      return
    const { lesson, target } = now
    if (isSame(home(lesson), target)) {
      cancel()
      return
    }
    const known = hovering.value
    move.value = { kind: 'asking', lesson, target }
    const dry = known !== null && isSame(known.target, target) ? known.verdict : await tryOut(moveOf(lesson, target))
    const verdict = dry.kind === 'free' ? await carryOut(moveOf(lesson, target), lesson) : dry
    if (verdict.kind === 'free') {
      cancel()
      moved(lesson, home(lesson))
    }
    else {
      move.value = { kind: 'refused', lesson, target, verdict }
    }
  }

  function cancel(): void {
    clearTimeout(timer)
    hovering.value = null
    move.value = { kind: 'none' }
  }

  /** The verdict shown in the target cell; `null`: the hub has not answered yet. */
  const said = computed<DispatchVerdict | null>(() => move.value.kind === 'refused' ? move.value.verdict : hovering.value?.verdict ?? null)

  return { move, said, begin, aim, drop, cancel }
}
