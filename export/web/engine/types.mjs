// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The types that the engine's modules share; no code.

/**
 * A file of a style, as app.json lists it. `url` is relative to app.json.
 * @typedef {object} StyleFile
 * @property {string} url
 * @property {number} bytes
 * @property {string} [sha256]
 */

/**
 * A style of app.json.
 * @typedef {object} Style
 * @property {string} name
 * @property {number | null} [stroke_resolution] short side, px, at which its strokes are as large as the painting's
 * @property {{ onnx: StyleFile, tflite?: StyleFile | null, stats?: StyleFile, tile?: TileFile }} files
 */

/**
 * The file that stylizes a tile with the statistics that `stats` measured.
 * @typedef {StyleFile & { side: number, margin: number, multiple: number }} TileFile
 */

/** @typedef {Uint8Array<ArrayBuffer> | Uint8ClampedArray<ArrayBuffer>} Bytes */

/**
 * RGBA bytes, row by row.
 * @typedef {object} Pixels
 * @property {Bytes} data
 * @property {number} width
 * @property {number} height
 */

/**
 * A loaded network. `run` keeps the size and alpha; a tile's network takes statistics, which `stats` measures.
 * @typedef {object} Model
 * @property {(photo: Pixels, statistics?: Float32Array) => Promise<Uint8Array<ArrayBuffer>>} run
 * @property {(photo: Pixels) => Promise<Float32Array>} measure
 * @property {() => Promise<void>} release
 */

/**
 * A runtime that loads networks.
 * @typedef {object} Backend
 * @property {string} name
 * @property {number} threads
 * @property {'onnx' | 'tflite'} format of the files that it loads
 * @property {(file: ArrayBuffer) => Promise<Model>} open
 * @property {Promise<string>} lost resolves to a reason if the backend stops working
 */

/**
 * What runs, and why it is not the GPU; `reason` is null where it is.
 * @typedef {object} Info
 * @property {string} runtime
 * @property {number} threads
 * @property {string | null} reason
 */

/**
 * @typedef {object} Controls
 * @property {number} [strength] 0 is the photo, 1 the style
 * @property {boolean} [keepColors]
 * @property {Pixels | null} [mask] its alpha is 255 where the photo is stylized
 */

/**
 * What the engine is asked for.
 * @typedef {Controls & {
 *   style: Style,
 *   strokeResolution?: 'auto' | 'native' | number,
 *   size?: number | null,
 *   signal?: AbortSignal,
 *   onProgress?: (progress: { done: number, total: number }) => void,
 * }} Request
 */

export {}
