// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Mixes the network's picture with the photo, as models/image/color.py and export/inference/masks.py do.
/** @import { Bytes, Controls, Pixels } from './types.mjs' */

const ONE = 65536  // strength 1 in fixed point

/**
 * The luminance of pixel i / 4, 0..255 (ITU-R BT.601).
 * @param {Bytes} data
 * @param {number} i
 */
export const luma = (data, i) => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]

/**
 * Mixes two pictures of the same size.
 * @param {ImageData} photo
 * @param {ImageData} stylized
 * @param {Controls} controls
 */
export const mix = (photo, stylized, controls) =>
  new ImageData(mixPixels(photo, stylized.data, controls), photo.width, photo.height)

/**
 * Applies strength, then colors, then the mask; alpha is that of the photo.
 * @param {Pixels} photo
 * @param {Bytes} stylized RGBA
 * @param {Controls} controls
 * @param {Uint8ClampedArray<ArrayBuffer>} [result] where to write; it may be `stylized`
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA
 */
export function mixPixels(photo, stylized, controls, result = new Uint8ClampedArray(photo.data.length)) {
  const { strength = 1, keepColors = false, mask = null } = controls
  const original = photo.data, weight = Math.round(strength * ONE), alone = strength === 1 && !keepColors && !mask
  if (strength === 0 || alone) {
    if (alone && stylized === result) return result
    result.set(alone ? stylized : original)
    return result
  }
  const maskRow = mask && maskReader(mask, photo.width, photo.height)
  for (let y = 0, i = 0; y < photo.height; y++) {
    const weights = maskRow?.(y)
    for (let x = 0; x < photo.width; x++, i += 4) {
      for (let c = i; c < i + 3; c++)
        result[c] = (stylized[c] * weight + original[c] * (ONE - weight) + ONE / 2) >> 16
      if (keepColors) {
        const change = luma(result, i) - luma(original, i)
        for (let c = i; c < i + 3; c++) result[c] = original[c] + change  // rounds and clamps
      }
      if (weights) {
        const w = weights[x]
        for (let c = i; c < i + 3; c++) result[c] = Math.floor((result[c] * w + original[c] * (255 - w) + 127) / 255)
      }
      result[i + 3] = original[i + 3]
    }
  }
  return result
}

/**
 * Returns a function from a row's number to that row of a mask's alpha, resized bilinearly in integers.
 * @param {Pixels} mask
 * @param {number} width
 * @param {number} height
 * @returns {(y: number) => Uint8Array}
 */
function maskReader(mask, width, height) {
  const columns = Array.from({ length: width }, (_, x) => sourcePosition(x, width, mask.width))
  const row = new Uint8Array(width), alpha = (/** @type {number} */ y, /** @type {number} */ x) =>
    mask.data[(Math.min(y, mask.height - 1) * mask.width + Math.min(x, mask.width - 1)) * 4 + 3]
  return y => {
    const [top, down] = sourcePosition(y, height, mask.height)
    for (let x = 0; x < width; x++) {
      const [left, right] = columns[x]
      const upper = alpha(top, left) * (256 - right) + alpha(top, left + 1) * right
      const lower = alpha(top + 1, left) * (256 - right) + alpha(top + 1, left + 1) * right
      row[x] = (upper * (256 - down) + lower * down + 32768) >> 16
    }
    return row
  }
}

/**
 * Maps the center of pixel `i` of `length` to `size` pixels: the pixel before it, and the offset in 1/256 px.
 * @param {number} i
 * @param {number} length
 * @param {number} size
 * @returns {[number, number]}
 */
function sourcePosition(i, length, size) {
  const twice = Math.min(Math.max((2 * i + 1) * size - length, 0), 2 * length * (size - 1))
  const position = Math.floor(twice * 128 / length)
  return [position >> 8, position & 255]
}
