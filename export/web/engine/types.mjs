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
 * A style of app.json, or a store of styles: one network for all of them. A store is used with weights, by the names of
 * its styles, which sum to 1.
 * @typedef {object} Style
 * @property {string} name
 * @property {number | null} [stroke_resolution] short side, px, at which its strokes are as large as the painting's
 * @property {number} [grain] standard deviation, in levels, of the noise that a photo gets
 * @property {{ name: string, stroke_resolution?: number | null }[]} [store]
 * @property {Record<string, number>} [weights]
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
 * A loaded network. `run` keeps the size and alpha. A tile's network takes the statistics that `stats` measured, and that
 * of a store the weights of its styles.
 * @typedef {object} Model
 * @property {(photo: Pixels, values?: Float32Array | null) => Promise<Uint8Array<ArrayBuffer>>} run
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
 * @property {Promise<Reason>} lost resolves if the backend stops working
 */

/**
 * What runs, and why it is not the GPU; `reason` is null where it is.
 * @typedef {object} Info
 * @property {string} runtime
 * @property {number} threads
 * @property {Reason | null} reason
 */

/** @typedef {{ code: string, values: Record<string, string | number> }} Reason `code` is the key of its text */

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
