// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Stylizes photos, and keeps the last photo and what the network made of it: other strengths, colors and masks, and the
// thumbnails of all styles, then need not read or run it again.
/** @import { Pixels, Request } from './types.mjs' */
/** @import { Work } from './stylizer.mjs' */
import { mixPixels } from './mix.mjs'
import { readPixels } from './pixels.mjs'
import { keyOf } from './store.mjs'
import { reduce, smallSize } from './strokes.mjs'
import { stylize } from './stylizer.mjs'

const MAX_CACHED = 16e6  // pixels; a larger photo's result is not cached, but mixed in place

export class LastResult {
  /** @type {{ key: number, pixels: Pixels } | null} */
  #photo = null
  /** @type {{ key: string, pixels: Pixels } | null} */
  #copy = null
  /** @type {{ key: string, stylized: Uint8Array<ArrayBuffer> } | null} */
  #result = null

  /**
   * Reads the photo of a request, unless it is the last one.
   * @param {{ sourceKey: number, source: ImageBitmap | ImageData | null }} request
   */
  read({ source, sourceKey }) {
    if (!source) return
    this.#photo = this.#copy = this.#result = null  // first, to free their memory
    this.#photo = { key: sourceKey, pixels: readPixels(source) }
    if ('close' in source) source.close()
  }

  /**
   * @param {Request & { sourceKey: number }} request
   * @param {Work} work
   */
  async stylize(request, work) {
    const { sourceKey } = request
    if (this.#photo?.key !== sourceKey) throw new Error('the photo was not sent')
    const photo = this.#scaled(request.size ?? null)
    const key = [sourceKey, keyOf(request.style), request.strokeResolution, request.size].join(' ')
    if (this.#result?.key !== key && request.strength !== 0) {
      this.#result = null  // first, to free its memory
      this.#result = { key, stylized: await stylize(photo, request, work) }
    }
    const stylized = this.#result?.key === key ? this.#result.stylized : photo.data
    if (photo.width * photo.height <= MAX_CACHED || stylized === photo.data)
      return new ImageData(mixPixels(photo, stylized, request), photo.width, photo.height)
    this.#result = null
    const result = new Uint8ClampedArray(stylized.buffer)
    return new ImageData(mixPixels(photo, result, request, result), photo.width, photo.height)
  }

  /** @param {number | null} size the short side, px; null is the photo's own */
  #scaled(size) {
    const { pixels } = /** @type {{ pixels: Pixels }} */ (this.#photo), small = smallSize(pixels, size)
    if (!small) return pixels
    const key = `${size}`
    if (this.#copy?.key !== key) this.#copy = { key, pixels: reduce(pixels, small) }
    return this.#copy.pixels
  }
}
