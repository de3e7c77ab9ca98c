import type { Chapter, Comment } from '../../api/library'
import type { LessonQuality } from '../../api/report'
import { useIntervalFn } from '@vueuse/core'
import { onScopeDispose, shallowRef } from 'vue'
import { readChapters, readComments, readQuality } from './moments'

/** While a lesson runs, pages are turned and lines become worse. */
const REFRESH_EVERY_MS = 20_000

/** What belongs to moments of a lesson. Each may be missing: not everybody may see it, and a line may be down just then. */
export function useMoments(recordingId: string, lessonId: string, growing: () => boolean) {
  /** `null`: nobody may name them here, or has yet; then there are those that the recorder saw. */
  const chapters = shallowRef<readonly Chapter[] | null>(null)
  const comments = shallowRef<readonly Comment[]>([])
  const quality = shallowRef<LessonQuality | null>(null)
  let over = false

  /** Keeps what was there where nothing new comes: the player needs none of it. */
  async function refresh(): Promise<void> {
    const [nextChapters, nextComments, nextQuality] = await Promise.allSettled([readChapters(recordingId), readComments(recordingId), readQuality(lessonId)])
    if (over)
      return
    if (nextChapters.status === 'fulfilled')
      chapters.value = nextChapters.value
    if (nextComments.status === 'fulfilled')
      comments.value = nextComments.value ?? []
    if (nextQuality.status === 'fulfilled')
      quality.value = nextQuality.value
  }

  void refresh()
  useIntervalFn(() => growing() && void refresh(), REFRESH_EVERY_MS)
  onScopeDispose(() => over = true)
  return { chapters, comments, quality, refresh }
}
