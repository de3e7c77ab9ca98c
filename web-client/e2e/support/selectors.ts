// Where things stand in the pages.

export const byTestId = (name: string): string => `[data-testid="${name}"]`

/** The large pictures of a classroom, a guest, and a replay. */
export const CAMERA = byTestId('camera-video')
export const BOARD = byTestId('board-video')
/** The clock of a replay: everything else keeps in step with it. */
export const VOICE = byTestId('voice')
