// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Stylizes the frames of a camera or a video.
/** @import { Pixels, Request } from './types.mjs' */
/** @import { Work } from './stylizer.mjs' */
import { mixPixels } from './mix.mjs'
import { readPixels, sizeOf } from './pixels.mjs'
import { smallSize } from './strokes.mjs'
import { stylize } from './stylizer.mjs'
import { TemporalFilter } from './temporal_filter.mjs'

export class FrameStylizer {
  #filter = new TemporalFilter()

  /**
   * @param {{ source: ImageBitmap | VideoFrame, first: boolean, size?: number | null }} request
   * @returns {Pixels}
   */
  read({ source, first, size = null }) {
    if (first) this.#filter = new TemporalFilter()
    const [width, height] = sizeOf(source), photo = readPixels(source, smallSize({ width, height }, size) ?? { width, height })
    source.close()
    return photo
  }

  /**
   * @param {Pixels} photo
   * @param {Request & { smoothing: number }} request
   * @param {Work} work
   * @returns {Promise<ImageBitmap>}
   */
  async stylize(photo, { smoothing, ...request }, work) {
    const stylized = await stylize(photo, request, work)
    const mixed = mixPixels(photo, this.#filter.filter(photo, stylized, smoothing), request)
    return createImageBitmap(new ImageData(mixed, photo.width, photo.height))
  }
}
