import type { Chapter, Comment } from '../../api/library'
import type { LessonQuality } from '../../api/report'
import { useIntervalFn } from '@vueuse/core'
import { onScopeDispose, shallowRef } from 'vue'
import { readChapters, readComments, readQuality } from './moments'

/** Refresh interval while the recording grows. */
const REFRESH_EVERY_MS = 20_000

/** Chapters, comments and quality of a lesson. Each may be missing: not permitted, or the request failed. */
export function useMoments(recordingId: string, lessonId: string, growing: () => boolean) {
  /** `null`: not permitted or not loaded; the recorder's chapters are used. */
  const chapters = shallowRef<readonly Chapter[] | null>(null)
  const comments = shallowRef<readonly Comment[]>([])
  const quality = shallowRef<LessonQuality | null>(null)
  let over = false

  /** A failed request keeps the old value. */
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
