// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The photo: opened from a file, and drawn at the size that is shown.
import { problem } from './messages.mjs'

const MIN_SIDE = 16  // px, the smallest side that an exported model accepts
const HEIC = /^(heic|heix|hevc|hevx|heim|heis|mif1|msf1)$/

/**
 * A photo that is open. `file` has its EXIF data; the sample and stills of the camera have none.
 * @typedef {{ bitmap: ImageBitmap, file: Blob | null, name: string, stem: string, sample: boolean }} Picture
 */

/**
 * Reads a photo, upright as its EXIF data say.
 * @param {File} file
 * @returns {Promise<Picture>}
 */
export async function openPicture(file) {
  const bitmap = await createImageBitmap(file).catch(async () => {
    throw problem(await isHeic(file) ? 'photo.heic' : 'photo.unreadable', { name: file.name })
  })
  const { width, height } = bitmap
  if (Math.min(width, height) < MIN_SIDE) throw problem('photo.small', { width, height, side: MIN_SIDE })
  return { bitmap, file, name: file.name, stem: file.name.replace(/\.[^.]*$/, '') || 'photo', sample: false }
}

/** Whether a file is HEIC: by its name, its type, or the brand in its first box (ISO/IEC 14496-12). */
async function isHeic(/** @type {File} */ file) {
  if (/\.hei[cf]$/i.test(file.name) || /^image\/hei[cf]/.test(file.type)) return true
  const start = new TextDecoder('latin1').decode(await file.slice(0, 12).arrayBuffer())
  return start.slice(4, 8) === 'ftyp' && HEIC.test(start.slice(8, 12))
}

/** Whether a file is a video rather than a photo. */
export const isVideo = (/** @type {File} */ file) => /^video\//.test(file.type) || /\.(mp4|m4v|mov|webm|mkv)$/i.test(file.name)

/**
 * The pixels of a bitmap at a size.
 * @param {CanvasImageSource} bitmap
 * @param {number} width
 * @param {number} height
 */
export function pixelsOf(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height)
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }))
  context.imageSmoothingQuality = 'high'
  context.drawImage(bitmap, 0, 0, width, height)
  return context.getImageData(0, 0, width, height)
}

/**
 * Draws pixels on a canvas, which takes their size.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageData} image
 */
export function draw(canvas, image) {
  if (canvas.width !== image.width || canvas.height !== image.height) Object.assign(canvas, { width: image.width, height: image.height })
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
  context.putImageData(image, 0, 0)
}
