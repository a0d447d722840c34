// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Runs a style at its stroke resolution, as models/image/detail_transfer.py does: `reduce` makes the copy of the photo
// that the network stylizes, and `enlarge` brings the result to the photo's size and restores the photo's detail.
// The detail is what the copy lacks of the photo's luminance. It is added with a gain, the coefficient a of the guided
// filter (He et al. 2013, eq. 5). All pixels are RGBA bytes; the network and these functions do not use alpha.
const RADIUS = 4  // px of the copy: about the width of a stroke
const SMOOTH = 100  // squared levels of variance: below it the photo counts as smooth

const luma = (data, i) => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]
const triangle = x => Math.max(0, 1 - Math.abs(x))
const sinc = x => x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
const lanczos = x => Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0
function cubic(x) {  // Keys' cubic convolution with a = -0.5, as in Pillow
  const t = Math.abs(x)
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0
}

function roundHalfToEven(value) {
  const whole = Math.floor(value)
  return value - whole === 0.5 ? whole + whole % 2 : Math.round(value)
}

// The size of the copy of a photo, or null where the photo's short side is not larger than the resolution.
export function smallSize(width, height, resolution) {
  const short = Math.min(width, height)
  if (!resolution || short <= resolution) return null
  return { width: roundHalfToEven(width * resolution / short), height: roundHalfToEven(height * resolution / short) }
}

// The taps of `size` output pixels, of which each has the same number: for pixel i, the first of `length` input pixels,
// and the weights from i * count on, which are 0 beyond its last tap.
function filterTaps(length, size, radius, filter) {
  const step = length / size, stretch = Math.max(step, 1), count = Math.min(length, Math.ceil(2 * radius * stretch) + 1)
  const first = new Int32Array(size), weights = new Float32Array(size * count)
  for (let i = 0; i < size; i++) {
    const center = (i + 0.5) * step
    const start = Math.max(0, Math.floor(center - radius * stretch + 0.5))
    const end = Math.min(length, Math.floor(center + radius * stretch + 0.5))
    first[i] = Math.min(start, length - count)
    const values = []
    for (let j = start; j < end; j++) values.push(filter((j + 0.5 - center) / stretch))
    const sum = values.reduce((total, value) => total + value, 0)
    values.forEach((value, j) => { weights[i * count + start - first[i] + j] = value / sum })
  }
  return { first, weights, count }
}

// Reduces a photo with an antialiased Lanczos filter: first its rows, then its columns.
export function reduce(photo, width, height, small) {
  const columns = filterTaps(width, small.width, 3, lanczos), rows = filterTaps(height, small.height, 3, lanczos)
  const narrow = new Uint8ClampedArray(small.width * height * 3)  // rounds and clamps
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < small.width; x++) {
      let red = 0, green = 0, blue = 0, i = (y * width + columns.first[x]) * 4
      for (let tap = x * columns.count; tap < (x + 1) * columns.count; tap++, i += 4) {
        const weight = columns.weights[tap]
        red += weight * photo[i]
        green += weight * photo[i + 1]
        blue += weight * photo[i + 2]
      }
      narrow.set([red, green, blue], (y * small.width + x) * 3)
    }
  }
  const result = new Uint8ClampedArray(small.width * small.height * 4).fill(255)
  const line = 3 * small.width, sums = new Float32Array(line)
  for (let y = 0; y < small.height; y++) {
    sums.fill(0)
    for (let tap = 0; tap < rows.count; tap++) {
      const weight = rows.weights[y * rows.count + tap], start = (rows.first[y] + tap) * line
      for (let k = 0; k < line; k++) sums[k] += weight * narrow[start + k]
    }
    for (let x = 0; x < small.width; x++)
      for (let c = 0; c < 3; c++) result[(y * small.width + x) * 4 + c] = sums[3 * x + c]
  }
  return new Uint8Array(result.buffer)
}

// Filters the columns of a plane, and then its rows.
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

// Convolves with [weight, 1 - 2 weight, weight] along both axes; the edges are replicated.
function blurred(small, values, weight) {
  return alongBothAxes(small, values, (line, output) => {
    const last = line.length - 1
    for (let i = 0; i <= last; i++)
      output[i] = line[i] * (1 - 2 * weight) + (line[Math.max(i - 1, 0)] + line[Math.min(i + 1, last)]) * weight
  })
}

// The mean over a square of 2 RADIUS + 1 px around each pixel, clipped to the image at its border.
function boxMean(small, values) {
  return alongBothAxes(small, values, (line, output) => {
    const length = line.length
    let sum = 0
    for (let i = 0; i < Math.min(RADIUS, length); i++) sum += line[i]
    for (let i = 0; i < length; i++) {
      if (i + RADIUS < length) sum += line[i + RADIUS]
      if (i > RADIUS) sum -= line[i - RADIUS - 1]
      output[i] = sum / (Math.min(i + RADIUS + 1, length) - Math.max(i - RADIUS, 0))
    }
  })
}

// The guided filter's coefficient a of two luminances, clipped to -1..1 and averaged.
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

// Returns a function from a row's number, ascending, to that row of a plane that is enlarged to the photo's size.
function enlarger(values, small, width, height, radius, filter) {
  const columns = filterTaps(small.width, width, radius, filter), rows = filterTaps(small.height, height, radius, filter)
  const wide = Array.from({ length: rows.count }, () => new Float32Array(width))  // a ring of its last rows
  const output = new Float32Array(width)
  let ready = 0
  return y => {
    for (; ready < rows.first[y] + rows.count; ready++) {
      const line = wide[ready % rows.count]
      for (let x = 0; x < width; x++) {
        let sum = 0, i = ready * small.width + columns.first[x]
        for (let tap = x * columns.count; tap < (x + 1) * columns.count; tap++, i++) sum += columns.weights[tap] * values[i]
        line[x] = sum
      }
    }
    output.fill(0)
    for (let tap = 0; tap < rows.count; tap++) {
      const weight = rows.weights[y * rows.count + tap], line = wide[(rows.first[y] + tap) % rows.count]
      for (let x = 0; x < width; x++) output[x] += weight * line[x]
    }
    return output
  }
}

// Enlarges the stylized copy to the photo's size and adds the photo's detail; alpha is that of the photo.
export function enlarge(stylized, copy, small, photo, width, height) {
  const count = small.width * small.height
  const luminance = pixels => Float32Array.from({ length: count }, (_, i) => luma(pixels, 4 * i))
  const light = luminance(stylized), copyLight = luminance(copy)
  const amount = Math.min(1, height / small.height - 1)  // attenuates pixel-scale grids and color fringes
  const softLight = blurred(small, light, amount / 8)
  const planes = [0, 1, 2].map(c => {
    const chroma = light.map((value, i) => stylized[4 * i + c] - value)
    return blurred(small, blurred(small, chroma, amount / 4), amount / 4).map((value, i) => value + softLight[i])
  })
  const [red, green, blue, soft] = [...planes, copyLight].map(
    plane => enlarger(plane, small, width, height, 2, cubic))
  const gain = enlarger(gainOf(small, light, copyLight), small, width, height, 1, triangle)
  const result = new Uint8ClampedArray(photo)  // rounds and clamps
  for (let y = 0; y < height; y++) {
    const gains = gain(y), blurredLight = soft(y), colors = [red(y), green(y), blue(y)]
    for (let x = 0, i = y * width * 4; x < width; x++, i += 4) {
      const detail = gains[x] * (luma(photo, i) - blurredLight[x])
      for (let c = 0; c < 3; c++) result[i + c] = colors[c][x] + detail
    }
  }
  return new Uint8Array(result.buffer)
}
