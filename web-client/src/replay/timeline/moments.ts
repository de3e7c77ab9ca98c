import { Refused } from '../../api/http'
import * as library from '../../api/library'
import * as report from '../../api/report'

/** `null`: not for this person. */
export const readChapters = (recordingId: string) => permitted(() => library.readChapters(recordingId))
export const readComments = (recordingId: string) => permitted(() => library.readComments(recordingId))
export const readQuality = (lessonId: string) => permitted(() => report.readQuality(lessonId))

/** Who may watch a recording may not always see what others thought of it. */
async function permitted<Answer>(read: () => Promise<Answer>): Promise<Answer | null> {
  try {
    return await read()
  }
  catch (error) {
    if (error instanceof Refused)
      return null
    throw error
  }
}

/** The file in which these tracks are put together as they were recorded; `composite` is there once it was made. */
export function downloadAddress(recordingId: string, tracks: 'camera' | 'board' | 'both' | 'voice' | 'composite'): string {
  return `/api/v1/recordings/${encodeURIComponent(recordingId)}/download?tracks=${tracks}`
}
