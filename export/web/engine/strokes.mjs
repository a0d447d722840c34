// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Runs a style at its stroke resolution, as models/image/detail_transfer.py does: `reduce` makes the copy of the photo
// that the network stylizes, and `enlarge` brings the result to the photo's size and restores the photo's detail.
// The detail is what the copy lacks of the photo's luminance. It is added with a gain, the coefficient a of the guided
// filter (He et al. 2013, eq. 5). All pixels are RGBA bytes; the network and these functions do not use alpha.
/** @import { Bytes, Pixels } from './types.mjs' */
import { luma } from './mix.mjs'
import { CUBIC, LANCZOS, TRIANGLE, enlarger, resize } from './filters.mjs'

const RADIUS = 4  // px of the copy: about the width of a stroke
const SMOOTH = 100  // squared levels of variance: below it the photo counts as smooth
const BAND = 64  // rows between two calls of `pause`

/** @typedef {{ width: number, height: number }} Size */

/** @param {number} value */
function roundHalfToEven(value) {
  const whole = Math.floor(value)
  return value - whole === 0.5 ? whole + whole % 2 : Math.round(value)
}

/**
 * The size of the copy of a photo, or null where the photo's short side is not larger than the resolution.
 * @param {Size} photo
 * @param {number | null} resolution
 * @returns {Size | null}
 */
export function smallSize({ width, height }, resolution) {
  const short = Math.min(width, height)
  if (!resolution || short <= resolution) return null
  return { width: roundHalfToEven(width * resolution / short), height: roundHalfToEven(height * resolution / short) }
}

/**
 * @param {Pixels} photo
 * @param {Size} small
 */
export const reduce = (photo, small) => resize(photo, small, LANCZOS)

/**
 * Filters the columns of a plane, and then its rows.
 * @param {Size} size
 * @param {Float32Array} values
 * @param {(line: Float32Array, output: Float32Array) => void} filter
 */
function alongBothAxes({ width, height }, values, filter) {
  const result = Float32Array.from(values)
  for (const [length, stride] of [[height, width], [width, 1]]) {
    const line = new Float32Array(length), output = new Float32Array(length)
    for (let number = 0; number < values.length / length; number++) {
      const start = stride === 1 ? number * length : number
      for (let i = 0; i < length; i++) line[i] = result[start + i * stride]
      filter(line, output)
      for (let i = 0; i < length; i++) result[start + i * stride] = output[i]
    }
  }
  return result
}

/**
 * Convolves with [weight, 1 - 2 weight, weight] along both axes; the edges are replicated.
 * @param {Size} small
 * @param {Float32Array} values
 * @param {number} weight
 */
function blurred(small, values, weight) {
  return alongBothAxes(small, values, (line, output) => {
    const last = line.length - 1
    for (let i = 0; i <= last; i++)
      output[i] = line[i] * (1 - 2 * weight) + (line[Math.max(i - 1, 0)] + line[Math.min(i + 1, last)]) * weight
  })
}

/**
 * The mean over a square of 2 radius + 1 px around each pixel, clipped to the picture at its border.
 * @param {Size} small
 * @param {Float32Array} values
 * @param {number} radius
 */
export function boxMean(small, values, radius = RADIUS) {
  return alongBothAxes(small, values, (line, output) => {
    const length = line.length
    let sum = 0
    for (let i = 0; i < Math.min(radius, length); i++) sum += line[i]
    for (let i = 0; i < length; i++) {
      if (i + radius < length) sum += line[i + radius]
      if (i > radius) sum -= line[i - radius - 1]
      output[i] = sum / (Math.min(i + radius + 1, length) - Math.max(i - radius, 0))
    }
  })
}

/**
 * The guided filter's coefficient a of two luminances, clipped to -1..1 and averaged.
 * @param {Size} small
 * @param {Float32Array} stylized
 * @param {Float32Array} guide
 */
function gainOf(small, stylized, guide) {
  const guideMean = boxMean(small, guide), stylizedMean = boxMean(small, stylized)
  const squares = boxMean(small, guide.map(value => value * value))
  const products = boxMean(small, guide.map((value, i) => value * stylized[i]))
  return boxMean(small, guide.map((_, i) => {
    const variance = squares[i] - guideMean[i] * guideMean[i]
    const covariance = products[i] - guideMean[i] * stylizedMean[i]
    return Math.min(Math.max(covariance / (variance + SMOOTH), -1), 1)
  }))
}

/**
 * Enlarges the stylized copy to the photo's size and adds the photo's detail; alpha is that of the photo.
 * @param {Bytes} stylized RGBA of the copy's size
 * @param {Pixels} copy
 * @param {Pixels} photo
 * @param {(share: number) => Promise<void>} [pause] called every few rows; it may throw to stop
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function enlarge(stylized, copy, photo, pause = async () => {}) {
  const small = { width: copy.width, height: copy.height }, count = small.width * small.height
  const luminance = (/** @type {Bytes} */ pixels) => Float32Array.from({ length: count }, (_, i) => luma(pixels, 4 * i))
  const light = luminance(stylized), copyLight = luminance(copy.data)
  const amount = Math.min(1, photo.height / small.height - 1)  // attenuates pixel-scale grids and color fringes
  const softLight = blurred(small, light, amount / 8)
  const planes = [0, 1, 2].map(c => {
    const chroma = light.map((value, i) => stylized[4 * i + c] - value)
    return blurred(small, blurred(small, chroma, amount / 4), amount / 4).map((value, i) => value + softLight[i])
  })
  const [red, green, blue, soft] = [...planes, copyLight].map(plane => enlarger(plane, small, photo, CUBIC))
  const gain = enlarger(gainOf(small, light, copyLight), small, photo, TRIANGLE)
  const result = new Uint8ClampedArray(photo.data)  // rounds and clamps
  for (let y = 0, i = 0; y < photo.height; y++) {
    if (y % BAND === 0) await pause(y / photo.height)
    const gains = gain(y), blurredLight = soft(y), reds = red(y), greens = green(y), blues = blue(y)
    for (let x = 0; x < photo.width; x++, i += 4) {
      const detail = gains[x] * (luma(photo.data, i) - blurredLight[x])
      result[i] = reds[x] + detail
      result[i + 1] = greens[x] + detail
      result[i + 2] = blues[x] + detail
    }
  }
  return new Uint8Array(result.buffer)
}
