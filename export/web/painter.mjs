// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Asks the engine for pictures of the photo: the one that is shown, the thumbnails after it, and the full size.
import { DEFAULT_STROKE_RESOLUTION, strokeResolutionOf } from './engine/store.mjs'
/** @import { Picture } from './picture.mjs' */

const SHOWN = 1080  // px of the short side of the picture that is shown
const THUMBNAIL = 224  // px of the short side of a thumbnail: twice what the strip shows
const LEAST = 16  // px, the smallest side that a network takes
const CACHED = 4  // pictures that are shown again without painting them again
export const STROKES = [0.5, 0.71, 1, 1.41, 2]  // factors of the stroke resolution, from the broadest to the finest

/** @typedef {{ image: ImageData, milliseconds: number, runtime: string }} Result */

/**
 * The short side in px at which the network runs; it makes strokes as large in the full size as in the picture shown.
 * @param {any} style
 * @param {number} strokes index into STROKES
 * @param {{ width: number, height: number }} photo
 */
export function resolutionOf(style, strokes, { width, height }) {
  const resolution = Math.min(strokeResolutionOf(style) ?? DEFAULT_STROKE_RESOLUTION, width, height)
  return Math.max(LEAST, Math.round(resolution * STROKES[strokes]))
}

export class Painter {
  /** @type {Picture | null} */
  #picture = null
  /** @type {Map<string, Result>} */
  #results = new Map()
  #running = new AbortController()
  #thumbnails = new AbortController()
  #wanted = 0  // pictures that were asked for and are not there yet: thumbnails wait for them

  /** @param {any} engine */
  constructor(engine) {
    this.engine = engine
  }

  /** Starts with another photo. */
  open(/** @type {Picture} */ picture) {
    this.#running.abort()
    this.#thumbnails.abort()
    this.#results.clear()
    this.#picture = picture
  }

  /**
   * The photo in a style, as it is shown, without strength, colors and mask. An earlier call ends with an AbortError.
   * @param {any} style
   * @param {number} strokes
   * @returns {Promise<Result>}
   */
  async paint(style, strokes) {
    this.#running.abort()
    this.#running = new AbortController()
    const key = `${style.name} ${JSON.stringify(style.weights)} ${strokes}`, cached = this.#results.get(key)
    if (cached) return cached
    const { signal } = this.#running, strokeResolution = resolutionOf(style, strokes, this.#bitmap)
    this.#wanted++
    try {
      const size = this.#size(Math.max(SHOWN, strokeResolution))
      const result = await this.engine.stylize(this.#bitmap, { style, size, strokeResolution, signal })
      signal.throwIfAborted()
      if (this.#results.size >= CACHED) this.#results.delete([...this.#results.keys()][0])
      this.#results.set(key, result)
      return result
    } finally {
      this.#wanted--
    }
  }

  /**
   * The photo in a style, painted small; an earlier call of it or of `paint` ends with an AbortError.
   * @param {any} style
   * @returns {Promise<ImageData>}
   */
  async paintSmall(style) {
    this.#running.abort()
    const { signal } = this.#running = new AbortController()
    this.#wanted++
    try {
      return await this.#thumbnail(style, signal)
    } finally {
      this.#wanted--
    }
  }

  /**
   * Paints a thumbnail in each style, one after the other.
   * @param {any[]} styles
   * @param {(style: any) => boolean} has whether there is one
   * @param {(style: any, image: ImageData) => void} show
   */
  async paintThumbnails(styles, has, show) {
    this.#thumbnails.abort()
    const { signal } = this.#thumbnails = new AbortController()
    for (const style of styles) {
      while (this.#wanted && !signal.aborted) await new Promise(resolve => setTimeout(resolve, 60))
      if (signal.aborted) return
      if (!has(style)) show(style, await this.#thumbnail(style, signal))
    }
  }

  /**
   * @param {any} style
   * @param {AbortSignal} signal
   */
  async #thumbnail(style, signal) {
    const size = this.#size(THUMBNAIL)
    const { image } = await this.engine.stylize(this.#bitmap, { style, size, strokeResolution: 'native', signal })
    signal.throwIfAborted()
    return /** @type {ImageData} */ (image)
  }

  /**
   * The photo at its full size, with strength, colors and mask.
   * @param {any} look
   * @param {{ signal: AbortSignal, onProgress: (progress: { done: number, total: number }) => void }} options
   * @returns {Promise<Result>}
   */
  paintFull({ style, strokes, ...controls }, options) {
    const strokeResolution = resolutionOf(style, strokes, this.#bitmap)
    return this.engine.stylize(this.#bitmap, { style, strokeResolution, ...controls, ...options })
  }

  get #bitmap() {
    return /** @type {Picture} */ (this.#picture).bitmap
  }

  /** A short side, null where the photo's is not larger. */
  #size(/** @type {number} */ side) {
    return Math.min(this.#bitmap.width, this.#bitmap.height) > side ? side : null
  }
}
