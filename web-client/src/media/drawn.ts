/** Poll interval of the browser's count of drawn pictures, cheaper than a callback per picture. */
const ASK_EVERY_MS = 500

/**
 * Counts pictures that the browser really put on the screen, over any number of video elements. A hidden page
 * draws none, even while its decoder runs.
 */
export class Drawn {
  private count = 0
  private tells = false

  /** Pictures drawn so far. `null`: not supported by this browser. */
  get pictures(): number | null {
    return this.tells ? this.count : null
  }

  /** Counts what this element draws, until the returned function is called. */
  follow(video: HTMLVideoElement): () => void {
    if (!('requestVideoFrameCallback' in video))
      return () => {}
    this.tells = true
    let before = 0
    let handle = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = () => {
      handle = video.requestVideoFrameCallback((_, drawn) => {
        // The browser's count restarts when the element gets another stream.
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
