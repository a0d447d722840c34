// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Smooth grain for photos, as models/image/grain.py adds it, byte for byte: where a photo is flat, a network paints
// strokes that follow the grain.
/** @import { Bytes, Pixels } from './types.mjs' */

const SIDE = 512  // px after which the grain repeats
const WIDTHS = [3, 3, 3, 5]  // px, of the moving averages: together nearly a Gaussian filter
const UNIT = 32  // the standard deviation before it is scaled
const SUM = 11539  // of the sums, is 1 then
const FIRST = 141 * SIDE * SIDE  // the first number that is hashed

/** @type {{ levels: number, added: Int16Array } | null} */
let last = null

/**
 * @param {Pixels} photo
 * @param {number} levels the standard deviation of the grain
 * @returns {Pixels} a copy; for 0 levels the photo itself
 */
export function withGrain(photo, levels) {
  if (!levels) return photo
  if (last?.levels !== levels) last = { levels, added: scaledGrain(levels) }
  const { width, height } = photo, { added } = last, data = new Uint8ClampedArray(photo.data)
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i += 4) {
      const change = added[y % SIDE * SIDE + x % SIDE]
      for (let c = i; c < i + 3; c++) data[c] += change  // clamps
    }
  return { width, height, data }
}

function scaledGrain(/** @type {number} */ levels) {
  let sums = Int32Array.from({ length: SIDE * SIDE }, (_, i) => 2 * (hash(FIRST + i) >>> 24) - 255)
  for (const width of WIDTHS)
    for (const [along, across] of [[SIDE, 1], [1, SIDE]]) sums = movingSums(sums, along, across, width >> 1)
  return Int16Array.from(sums, sum => {
    const grain = Math.min(Math.max(Math.floor((sum + (SUM >> 1)) / SUM), -127), 127)
    return Math.floor(levels / UNIT * grain + 0.5)
  })
}

/**
 * Adds up 2 radius + 1 values around each one along an axis, whose ends continue each other.
 * @param {Int32Array} values
 * @param {number} along distance in the array of neighbors along the axis
 * @param {number} across distance of neighbors along the other axis
 * @param {number} radius
 */
function movingSums(values, along, across, radius) {
  const sums = new Int32Array(values.length)
  for (let line = 0; line < SIDE; line++)
    for (let i = 0; i < SIDE; i++)
      for (let shift = -radius; shift <= radius; shift++)
        sums[line * across + i * along] += values[line * across + (i + shift + SIDE) % SIDE * along]
  return sums
}

/** The 32-bit finalizer of MurmurHash3 (Appleby 2011). */
function hash(/** @type {number} */ number) {
  number = Math.imul(number ^ number >>> 16, 0x85ebca6b)
  number = Math.imul(number ^ number >>> 13, 0xc2b2ae35)
  return number ^ number >>> 16
}
