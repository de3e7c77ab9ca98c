/** How often the browser is asked what it has drawn: a callback for every picture would cost more than it tells. */
const ASK_EVERY_MS = 500

/**
 * Counts pictures that the browser has really put on the screen, of any number of video elements. A page that is hidden
 * draws none; one whose decoder works in vain draws none either.
 */
export class Drawn {
  private count = 0
  private tells = false

  /** Pictures drawn so far. `null`: this browser cannot tell. */
  get pictures(): number | null {
    return this.tells ? this.count : null
  }

  /** Counts what this element draws, until the answer is called. */
  follow(video: HTMLVideoElement): () => void {
    if (!('requestVideoFrameCallback' in video))
      return () => {}
    this.tells = true
    let before = 0
    let handle = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = () => {
      handle = video.requestVideoFrameCallback((_, drawn) => {
        // A stream that gives way to another counts from the beginning.
        this.count += drawn.presentedFrames >= before ? drawn.presentedFrames - before : drawn.presentedFrames
        before = drawn.presentedFrames
        timer = setTimeout(ask, ASK_EVERY_MS)
      })
    }
    ask()
    return () => {
      clearTimeout(timer)
      video.cancelVideoFrameCallback(handle)
    }
  }
}
