// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Resizes pictures with separable filters, as Pillow does.
/** @import { Pixels } from './types.mjs' */

const ONE = 1 << 22  // weights of bytes are integers, of which this is 1, as in Pillow

/** @typedef {{ radius: number, weight: (x: number) => number }} Filter */
/** @typedef {{ first: Int32Array, weights: Float64Array, count: number }} Taps */

const sinc = (/** @type {number} */ x) => x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)

/** @type {Filter} */
export const TRIANGLE = { radius: 1, weight: x => Math.max(0, 1 - Math.abs(x)) }
/** @type {Filter} */
export const LANCZOS = { radius: 3, weight: x => Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0 }
/** Keys' cubic convolution with a = -0.5, as in Pillow. @type {Filter} */
export const CUBIC = {
  radius: 2,
  weight(x) {
    const t = Math.abs(x)
    if (t < 1) return (1.5 * t - 2.5) * t * t + 1
    return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0
  },
}

/**
 * The taps of `size` output pixels, of which each has the same number: for pixel i, the first of `length` input pixels,
 * and the weights from i * count on, which are 0 beyond its last tap.
 * @param {number} length
 * @param {number} size
 * @param {Filter} filter
 * @returns {Taps}
 */
export function filterTaps(length, size, { radius, weight }) {
  const step = length / size, stretch = Math.max(step, 1), count = Math.min(length, Math.ceil(2 * radius * stretch) + 1)
  const first = new Int32Array(size), weights = new Float64Array(size * count)
  for (let i = 0; i < size; i++) {
    const center = (i + 0.5) * step
    const start = Math.max(0, Math.floor(center - radius * stretch + 0.5))
    const end = Math.min(length, Math.floor(center + radius * stretch + 0.5))
    first[i] = Math.min(start, length - count)
    const values = []
    for (let j = start; j < end; j++) values.push(weight((j + 0.5 - center) / stretch))
    const sum = values.reduce((total, value) => total + value, 0)
    values.forEach((value, j) => { weights[i * count + start - first[i] + j] = value / sum })
  }
  return { first, weights, count }
}

/**
 * The taps for bytes, with weights in 1 / ONE.
 * @param {number} length
 * @param {number} size
 * @param {Filter} filter
 */
function byteTaps(length, size, filter) {
  const taps = filterTaps(length, size, filter)
  return { ...taps, weights: taps.weights.map(weight => Math.sign(weight) * Math.floor(Math.abs(weight) * ONE + 0.5)) }
}

/**
 * Resizes a picture: first its rows, then its columns, to the same bytes as Pillow. Alpha becomes 255.
 * @param {Pixels} photo
 * @param {{ width: number, height: number }} size
 * @param {Filter} filter
 * @returns {Pixels}
 */
export function resize(photo, size, filter) {
  const { data, height } = photo, columns = byteTaps(photo.width, size.width, filter)
  const rows = byteTaps(height, size.height, filter), line = 3 * size.width
  const narrow = new Uint8ClampedArray(line * height)  // clamps
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < size.width; x++, to += 3) {
      let red = ONE / 2, green = ONE / 2, blue = ONE / 2, i = (y * photo.width + columns.first[x]) * 4
      for (let tap = x * columns.count; tap < (x + 1) * columns.count; tap++, i += 4) {
        const weight = columns.weights[tap]
        red += weight * data[i]
        green += weight * data[i + 1]
        blue += weight * data[i + 2]
      }
      narrow[to] = red >> 22
      narrow[to + 1] = green >> 22
      narrow[to + 2] = blue >> 22
    }
  }
  const result = new Uint8ClampedArray(size.width * size.height * 4).fill(255), sums = new Int32Array(line)
  for (let y = 0, to = 0; y < size.height; y++) {
    sums.fill(ONE / 2)
    for (let tap = 0; tap < rows.count; tap++) {
      const weight = rows.weights[y * rows.count + tap], start = (rows.first[y] + tap) * line
      for (let k = 0; k < line; k++) sums[k] += weight * narrow[start + k]
    }
    for (let k = 0; k < line; k += 3, to += 4) for (let c = 0; c < 3; c++) result[to + c] = sums[k + c] >> 22
  }
  return { data: new Uint8Array(result.buffer), ...size }
}

/**
 * Returns a function from a row's number, ascending, to that row of a plane that is enlarged to another size.
 * @param {Float32Array} values
 * @param {{ width: number, height: number }} from
 * @param {{ width: number, height: number }} to
 * @param {Filter} filter
 * @returns {(y: number) => Float32Array}
 */
export function enlarger(values, from, to, filter) {
  const columns = filterTaps(from.width, to.width, filter), rows = filterTaps(from.height, to.height, filter)
  const wide = Array.from({ length: rows.count }, () => new Float32Array(to.width))  // a ring of its last rows
  const output = new Float32Array(to.width)
  let ready = 0
  return y => {
    for (; ready < rows.first[y] + rows.count; ready++) {
      const line = wide[ready % rows.count]
      for (let x = 0; x < to.width; x++) {
        let sum = 0, i = ready * from.width + columns.first[x]
        for (let tap = x * columns.count; tap < (x + 1) * columns.count; tap++, i++) sum += columns.weights[tap] * values[i]
        line[x] = sum
      }
    }
    output.fill(0)
    for (let tap = 0; tap < rows.count; tap++) {
      const weight = rows.weights[y * rows.count + tap], line = wide[(rows.first[y] + tap) % rows.count]
      for (let x = 0; x < to.width; x++) output[x] += weight * line[x]
    }
    return output
  }
}
