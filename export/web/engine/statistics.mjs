// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Estimates the instance norms' statistics of a large photo, as export/inference/thumbnail_statistics.py does: those of a
// thumbnail, corrected by the difference between patches at full size and the same patches at the thumbnail's scale.
/** @import { Pixels } from './types.mjs' */
import { TRIANGLE, resize } from './filters.mjs'

const PIXELS = 1 << 20  // of the thumbnail, and of all patches, at most
const MIN_SIDE = 16  // px
const PATCH = 128  // px, the least side of a patch
const MIN_REDUCED = 32  // px, the least side of a patch at the thumbnail's scale
const MIN_PATCHES = 16
const GOLDEN_RATIO = 40503  // in 1/65536: its multiples are evenly distributed, whatever their number (Knuth, 6.4)
const EPSILON = 1e-5  // of the norms
const MAX_RATIO = 10  // limit for the correction of a variance

/**
 * @param {Pixels} photo
 * @param {(sample: Pixels) => Promise<Float32Array>} measure returns the means, then the variances
 * @returns {Promise<Float32Array>} the means, then the variances
 */
export async function estimateStatistics(photo, measure) {
  const { width, height } = photo
  const scale = Math.min(1, Math.max(Math.sqrt(PIXELS / (width * height)), MIN_SIDE / Math.min(width, height)))
  const thumbnail = await measure(scaled(photo, scale)), patches = scale < 1 ? mosaic(photo, scale) : null
  if (!patches) return thumbnail
  const full = await measure(patches), reduced = await measure(scaled(patches, scale)), channels = thumbnail.length / 2
  return thumbnail.map((value, i) => {
    if (i < channels) return value + full[i] - reduced[i]
    return value * Math.min(Math.max((full[i] + EPSILON) / (reduced[i] + EPSILON), 1 / MAX_RATIO), MAX_RATIO)
  })
}

/**
 * @param {Pixels} picture
 * @param {number} scale
 */
function scaled(picture, scale) {
  const [width, height] = [picture.width, picture.height].map(side => Math.floor(side * scale + 0.5))
  return resize(picture, { width, height }, TRIANGLE)
}

/**
 * Arranges patches from all over a photo side by side. They fade into each other: hard edges between them would count as
 * edges of the photo.
 * @param {Pixels} photo
 * @param {number} scale
 * @returns {Pixels | null} null where there would be too few
 */
function mosaic(photo, scale) {
  const side = Math.max(PATCH, Math.ceil(MIN_REDUCED / scale)), fade = Math.floor(side / 4), total = 16 * fade * fade
  const part = Math.min(1, Math.sqrt(PIXELS / (photo.width * photo.height)))
  const down = axis(photo.height, side, part, fade), across = axis(photo.width, side, part, fade)
  if (down.count * across.count < MIN_PATCHES) return null
  const width = across.count * across.patch, height = down.count * down.patch
  const data = new Uint8Array(4 * width * height).fill(255), sums = new Int32Array(3 * width)
  for (let y = 0; y < height; y++) {
    sums.fill(0)
    const nearest = Math.floor(y / down.patch)
    for (let row = Math.max(0, nearest - 1); row <= Math.min(down.count - 1, nearest + 1); row++) {
      const vertical = down.weight(y, row)
      if (vertical <= 0) continue
      for (let column = 0; column < across.count; column++) {
        const line = down.source(y, row, column) * photo.width
        const start = Math.max(0, column * across.patch - fade), end = Math.min(width, (column + 1) * across.patch + fade)
        for (let x = start; x < end; x++) {
          const weight = vertical * across.weight(x, column), i = 4 * (line + across.source(x, column, row))
          for (let c = 0; c < 3; c++) sums[3 * x + c] += weight * photo.data[i + c]
        }
      }
    }
    for (let x = 0, i = 4 * y * width; x < width; x++, i += 4)
      for (let c = 0; c < 3; c++) data[i + c] = Math.floor((sums[3 * x + c] + total / 2) / total)
  }
  return { data, width, height }
}

/**
 * The patches along one axis. The weights of all patches at a position add up to 4 * fade. Each patch has a cell of a
 * grid, and a jitter in it: objects in photos are often in line.
 * @param {number} length of the photo
 * @param {number} side of a patch
 * @param {number} part of the photo's length that the patches cover
 * @param {number} fade
 */
function axis(length, side, part, fade) {
  const count = Math.max(1, Math.floor(length * part / side)), patch = Math.min(side, length)
  const room = Math.floor(length / count) - patch
  return {
    count,
    patch,
    /** @param {number} position @param {number} number */
    weight(position, number) {
      let weight = 4 * fade
      if (number > 0) weight = Math.min(weight, 2 * (position - number * patch + fade) + 1)
      if (number < count - 1) weight = Math.min(weight, 2 * ((number + 1) * patch + fade - position) - 1)
      return weight
    },
    /** @param {number} position @param {number} number @param {number} other the number along the other axis */
    source(position, number, other) {
      const jitter = (room * ((other * GOLDEN_RATIO + 32768) & 65535)) >> 16
      const start = Math.floor(number * length / count) + jitter - number * patch
      return Math.min(Math.max(start + position, 0), length - 1)
    },
  }
}
