// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Reduces flicker, as export/video/temporal_filter.py does, but without motion: it blends a stylized frame with the
// previous one where the camera saw the same in both, y_t = x_t + amount * c * (y_(t-1) - x_t).
/** @import { Bytes, Pixels } from './types.mjs' */
import { TRIANGLE, enlarger, resize } from './filters.mjs'
import { boxMean, smallSize } from './strokes.mjs'

const SIDE = 180  // px; the short side of the frames that are compared
const NOISE = 12  // levels; two frames that differ by more show different things
const RADIUS = 2  // px around a pixel of the compared frames that must show the same, too

export class TemporalFilter {
  /** @type {{ reduced: Pixels, output: Uint8ClampedArray } | null} */
  #previous = null

  /**
   * @param {Pixels} photo the frame
   * @param {Bytes} stylized RGBA, of the same size
   * @param {number} amount 0..1
   * @returns {Bytes} the frame to show
   */
  filter(photo, stylized, amount) {
    if (!amount) return stylized
    const size = smallSize(photo, SIDE), reduced = size ? resize(photo, size, TRIANGLE) : photo
    const output = new Uint8ClampedArray(stylized)
    if (this.#previous?.output.length === output.length && this.#previous.reduced.width === reduced.width) {
      const same = enlarger(confidence(reduced, this.#previous.reduced), reduced, photo, TRIANGLE), last = this.#previous.output
      for (let y = 0, i = 0; y < photo.height; y++) {
        const weights = same(y)
        for (let x = 0; x < photo.width; x++, i += 4) {
          const weight = amount * weights[x]
          for (let c = i; c < i + 3; c++) output[c] += weight * (last[c] - output[c])
        }
      }
    }
    this.#previous = { reduced, output }
    return output
  }
}

/**
 * How surely both frames show the same, 0..1 for each pixel.
 * @param {Pixels} frame
 * @param {Pixels} last
 */
function confidence(frame, last) {
  const change = new Float32Array(frame.width * frame.height)
  for (let i = 0, k = 0; k < change.length; k++, i += 4)
    change[k] = (Math.abs(frame.data[i] - last.data[i]) + Math.abs(frame.data[i + 1] - last.data[i + 1])
      + Math.abs(frame.data[i + 2] - last.data[i + 2])) / 3
  return boxMean(frame, change, RADIUS).map(value => Math.exp(-((value / NOISE) ** 2)))
}
