// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// A store: one network for several styles and their blends.
/** @import { Style } from './types.mjs' */
import { failure } from './failure.mjs'

const TOLERANCE = 0.001  // by which the sum of the weights may differ from 1

/**
 * The weights of all styles of a store, in its order; null for a network of one style.
 * @param {Style} style
 * @returns {Float32Array | null}
 */
export function weightsOf({ name, store, weights = {} }) {
  if (!store) return null
  const names = store.map(one => one.name), unknown = Object.keys(weights).find(one => !names.includes(one))
  if (unknown !== undefined) throw failure('engine.style', `${name} has no style ${unknown}`)
  const values = Float32Array.from(names, one => Object.hasOwn(weights, one) ? weights[one] : 0), sum = values.reduce((total, value) => total + value, 0)
  if (!(Math.abs(sum - 1) <= TOLERANCE) || values.some(value => value < 0))
    throw failure('engine.style', `the weights of the styles of ${name} sum to ${sum} instead of 1`)
  return values
}

export const DEFAULT_STROKE_RESOLUTION = 1024  // px, of a style without one: as in impasto-stylize

/**
 * The stroke resolution of a style: for a blend the mean by weight, null where one of its styles has none.
 * @param {Style} style
 * @returns {number | null}
 */
export function strokeResolutionOf(style) {
  const weights = weightsOf(style)
  if (!weights) return style.stroke_resolution ?? null
  const parts = (style.store ?? []).map((one, i) => ({ resolution: one.stroke_resolution, weight: weights[i] }))
    .filter(({ weight }) => weight > 0)
  if (parts.some(({ resolution }) => !resolution)) return null
  return Math.round(parts.reduce((sum, { resolution, weight }) => sum + (resolution ?? 0) * weight, 0))
}

/**
 * What tells a style or a blend from others.
 * @param {Style} style
 */
export const keyOf = ({ name, files, weights }) => JSON.stringify([name, files.onnx.url, weights ?? null])
