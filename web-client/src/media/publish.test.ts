import { describe, expect, it } from 'vitest'
import { cameraLayers } from './publish'

function camera(height: number | undefined): MediaStreamTrack {
  return { getSettings: () => ({ height }) } as unknown as MediaStreamTrack
}

describe('the layers of a camera', () => {
  it('are two where the picture is large enough, both 180p at the low end', () => {
    expect(cameraLayers(camera(720)).map(layer => [layer.rid, layer.scaleResolutionDownBy])).toEqual([['q', 4], ['h', 1]])
    expect(cameraLayers(camera(360)).map(layer => [layer.rid, layer.scaleResolutionDownBy])).toEqual([['q', 2], ['h', 1]])
  })

  it('can each be sent at half the pictures', () => {
    expect(cameraLayers(camera(720)).map(layer => layer.scalabilityMode)).toEqual(['L1T2', 'L1T2'])
  })

  it('are one where a second would be a stamp', () => {
    expect(cameraLayers(camera(240))).toEqual([])
  })

  it('are those of a large camera while it is off', () => {
    expect(cameraLayers(null)).toEqual(cameraLayers(camera(720)))
  })

  it('leave the uplink room for voice and board', () => {
    const sum = cameraLayers(camera(720)).reduce((sum, layer) => sum + (layer.maxBitrate ?? Infinity), 0)
    expect(sum).toBeLessThan(1_500_000)
  })
})
