import type { GridLesson } from '../../api/timetable'
import type { PeriodRow } from '../../calendar/bells'
import type { Column } from '../../calendar/days'
import type { Place } from './grid'
import type { useMove } from './use-move'
import { onScopeDispose, shallowRef } from 'vue'
import { isArrow, step } from './grid'

interface Paper {
  mover: ReturnType<typeof useMove>
  rows: () => readonly PeriodRow[]
  columns: () => readonly Column[]
  movable: (lesson: GridLesson) => boolean
  find: (lessonId: string | undefined) => GridLesson | undefined
  focusOn: (place: Place) => Promise<void>
}

/** Drag threshold: a pointer moves a little during a click. */
const DRAG_FROM_PX = 6

/** Moves a lesson in the week grid: by drag and drop, or with M, the arrow keys and Enter. */
export function useDrag({ mover, rows, columns, movable, find, focusOn }: Paper) {
  const move = mover.move
  /** Where the pointer drags a lesson; `null`: it drags none. */
  const held = shallowRef<{ x: number, y: number } | null>(null)
  let stopFollowing = () => {}
  onScopeDispose(() => stopFollowing())

  function press(event: PointerEvent, lesson: GridLesson): void {
    if (event.button !== 0 || !movable(lesson))
      return
    const from = { x: event.clientX, y: event.clientY }
    const follow = (moved: PointerEvent) => {
      if (move.value.kind !== 'aiming' && Math.hypot(moved.clientX - from.x, moved.clientY - from.y) < DRAG_FROM_PX)
        return
      if (move.value.kind !== 'aiming')
        mover.begin(lesson, 'pointer')
      held.value = { x: moved.clientX, y: moved.clientY }
      const under = document.elementFromPoint(moved.clientX, moved.clientY)?.closest<HTMLElement>('[data-day][data-open]')
      if (under?.dataset.day !== undefined && under.dataset.period !== undefined)
        mover.aim({ day: under.dataset.day, period: under.dataset.period })
    }
    const leave = (released: PointerEvent) => {
      stopFollowing()
      if (move.value.kind !== 'aiming')
        return
      held.value = null
      swallowClick()
      void (released.type === 'pointerup' ? mover.drop() : mover.cancel())
    }
    stopFollowing = () => {
      window.removeEventListener('pointermove', follow)
      window.removeEventListener('pointerup', leave)
      window.removeEventListener('pointercancel', leave)
    }
    window.addEventListener('pointermove', follow)
    window.addEventListener('pointerup', leave)
    window.addEventListener('pointercancel', leave)
  }

  async function key(event: KeyboardEvent): Promise<void> {
    const now = move.value
    if (now.kind === 'aiming' && now.by === 'keyboard') {
      if (isArrow(event.key))
        mover.aim(step(rows(), columns(), now.target, event.key))
      else if (event.key === 'Enter')
        void mover.drop()
      else if (event.key === 'Escape')
        mover.cancel()
      else
        return
      event.preventDefault()
      event.stopPropagation()
      return
    }
    if (event.key === 'Escape' && now.kind !== 'none') {
      mover.cancel()
      return
    }
    const at = (event.target as HTMLElement).closest<HTMLElement>('[data-day]')
    if (at?.dataset.day === undefined || at.dataset.period === undefined || event.ctrlKey || event.metaKey || event.altKey)
      return
    const here = { day: at.dataset.day, period: at.dataset.period }
    if (isArrow(event.key)) {
      event.preventDefault()
      await focusOn(step(rows(), columns(), here, event.key))
    }
    const lesson = find((event.target as HTMLElement).dataset.lesson)
    if (event.key.toLowerCase() === 'm' && lesson !== undefined && movable(lesson)) {
      event.preventDefault()
      mover.begin(lesson, 'keyboard')
    }
  }

  return { held, press, key }
}

/** Swallows the click event that ends a drag, which would open the lesson's card. */
function swallowClick(): void {
  const swallow = (event: MouseEvent) => event.stopPropagation()
  window.addEventListener('click', swallow, { capture: true, once: true })
  setTimeout(() => window.removeEventListener('click', swallow, { capture: true }), 50)
}
