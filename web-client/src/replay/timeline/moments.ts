import { Refused } from '../../api/http'
import * as library from '../../api/library'
import * as report from '../../api/report'

/** `null`: not permitted. */
export const readChapters = (recordingId: string) => permitted(() => library.readChapters(recordingId))
export const readComments = (recordingId: string) => permitted(() => library.readComments(recordingId))
export const readQuality = (lessonId: string) => permitted(() => report.readQuality(lessonId))

/** A person who may watch a recording may lack the permission for comments or quality. */
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

/** The file with these tracks as recorded; `composite` exists once it was made. */
export function downloadAddress(recordingId: string, tracks: 'camera' | 'board' | 'both' | 'voice' | 'composite'): string {
  return `/api/v1/recordings/${encodeURIComponent(recordingId)}/download?tracks=${tracks}`
}
