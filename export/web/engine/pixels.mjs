// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Reads pictures into RGBA bytes.
/** @import { Pixels } from './types.mjs' */

const MIN_SIDE = 16  // px; the contract of an exported file
const BAND = 256  // rows that are read at a time: a canvas of the whole photo would take its memory once more

/**
 * @param {ImageBitmap | ImageData | VideoFrame} source
 * @param {{ width: number, height: number } | null} [size] to scale to, by the browser's filter
 * @returns {Pixels}
 */
export function readPixels(source, size = null) {
  if (source instanceof ImageData && !size)
    return { data: new Uint8Array(source.data.buffer), width: source.width, height: source.height }
  const [sourceWidth, sourceHeight] = sizeOf(source), { width, height } = size ?? { width: sourceWidth, height: sourceHeight }
  const canvas = new OffscreenCanvas(width, Math.min(BAND, height)), data = new Uint8Array(4 * width * height)
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }))
  context.imageSmoothingQuality = 'high'
  for (let top = 0; top < height; top += BAND) {
    const rows = Math.min(BAND, height - top)
    context.clearRect(0, 0, width, BAND)
    context.drawImage(/** @type {CanvasImageSource} */ (source), 0, -top, width, height)
    data.set(context.getImageData(0, 0, width, rows).data, 4 * width * top)
  }
  canvas.width = canvas.height = 0  // frees it now
  return { data, width, height }
}

/**
 * @param {ImageBitmap | ImageData | VideoFrame} source
 * @returns {[number, number]} width and height
 */
export function sizeOf(source) {
  return 'displayWidth' in source ? [source.displayWidth, source.displayHeight] : [source.width, source.height]
}

/**
 * Repeats the right and bottom edges until both sides are a multiple of a number and at least MIN_SIDE; returns the photo
 * itself where they are.
 * @param {Pixels} photo
 * @param {number} multiple
 * @returns {Pixels}
 */
export function padTo(photo, multiple = 1) {
  const [width, height] = [photo.width, photo.height].map(side => multiple * Math.ceil(Math.max(side, MIN_SIDE) / multiple))
  if (width === photo.width && height === photo.height) return photo
  return { data: cropped(photo, width, height), width, height }
}

/**
 * Returns the upper left part of a picture; beyond its edges they repeat.
 * @param {Pixels} photo
 * @param {number} width
 * @param {number} height
 */
export function cropped(photo, width, height) {
  const from = new Uint32Array(photo.data.buffer, photo.data.byteOffset, photo.width * photo.height)
  const to = new Uint32Array(width * height)
  for (let y = 0; y < height; y++) {
    const start = Math.min(y, photo.height - 1) * photo.width
    for (let x = 0; x < width; x++) to[y * width + x] = from[start + Math.min(x, photo.width - 1)]
  }
  return new Uint8Array(to.buffer)
}
