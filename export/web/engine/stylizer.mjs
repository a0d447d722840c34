// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// From a photo to a stylized picture, as export/inference/stylizer.py does it.
/** @import { Model, Pixels, Request, Style } from './types.mjs' */
import { aborted, failure } from './failure.mjs'
import { withGrain } from './grain.mjs'
import { cropped, padTo } from './pixels.mjs'
import { DEFAULT_STROKE_RESOLUTION, strokeResolutionOf, weightsOf } from './store.mjs'
import { enlarge, reduce, smallSize } from './strokes.mjs'
import { stylizeTiles } from './tiles.mjs'
/** @import { Networks } from './networks.mjs' */

const MAX_WHOLE = 1.9e6  // pixels that the network gets at once: 16:9 at 1024 px

/**
 * @typedef {object} Work
 * @property {Networks} networks
 * @property {() => boolean} canceled
 * @property {(done: number, total: number) => void} report
 */

/**
 * Runs the network; strength, colors and mask are not applied.
 * @param {Pixels} photo
 * @param {Request} request
 * @param {Work} work
 * @returns {Promise<Uint8Array<ArrayBuffer>>} RGBA of the photo's size
 */
export async function stylize(photo, { style, strokeResolution = 'auto' }, work) {
  const pause = async () => {
    await new Promise(resolve => setTimeout(resolve))  // lets a message that cancels in
    if (work.canceled()) throw aborted()
  }
  const resolution = resolve(photo, style, strokeResolution), small = smallSize(photo, resolution)
  const copy = small ? reduce(photo, small) : photo
  await pause()
  const grain = strokeResolution === 'native' ? 0 : style.grain ?? 0
  const stylized = await runNetwork(withGrain(copy, grain), style, work, pause)
  if (!small) return stylized
  await pause()
  return enlarge(stylized, copy, photo, pause)
}

/**
 * The short side at which the network runs: null is the photo's own.
 * @param {Pixels} photo
 * @param {Style} style
 * @param {'auto' | 'native' | number} wanted
 * @returns {number | null}
 */
function resolve(photo, style, wanted) {
  const resolution = wanted === 'auto' ? strokeResolutionOf(style) ?? DEFAULT_STROKE_RESOLUTION : wanted === 'native' ? null : wanted
  const whole = Math.floor(Math.min(photo.width, photo.height) * Math.sqrt(MAX_WHOLE / (photo.width * photo.height)))
  if (whole >= (resolution ?? Math.min(photo.width, photo.height)) || style.files.tile) return resolution
  return whole  // without the files for tiles, this is the largest that the memory allows
}

/**
 * @param {Pixels} photo
 * @param {Style} style
 * @param {Work} work
 * @param {() => Promise<void>} pause
 */
async function runNetwork(photo, style, work, pause) {
  const { stats, tile } = style.files
  if (photo.width * photo.height > MAX_WHOLE && stats && tile)
    return stylizeTiles(photo, stats, tile, work, pause)
  const weights = weightsOf(style)
  return runWhole(await work.networks.of(style), photo, weights)
}

/**
 * @param {Model} model
 * @param {Pixels} photo
 * @param {Float32Array | null} weights of the styles of a store
 */
async function runWhole(model, photo, weights) {
  const padded = padTo(photo)
  const data = await model.run(padded, weights).catch(error => {
    const size = `${photo.width} × ${photo.height} pixels`
    throw failure('engine.memory', `${size} are too much for this browser (${error.message ?? error})`, error)
  })
  if (data.length !== padded.data.length) throw failure('engine.style', 'The network changed the size of the picture.')
  return padded === photo ? data : cropped({ ...padded, data }, photo.width, photo.height)
}
