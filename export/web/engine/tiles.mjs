// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Stylizes a large photo in tiles, as StyleTransferLarge.kt does: `stats.onnx` measures a copy and samples of the photo,
// and `tile.onnx` stylizes each tile with these statistics. Tiles overlap, so there are no seams.
/** @import { Pixels, StyleFile, TileFile } from './types.mjs' */
/** @import { Work } from './stylizer.mjs' */
import { estimateStatistics } from './statistics.mjs'

/**
 * @param {Pixels} photo
 * @param {StyleFile} stats
 * @param {TileFile} tile
 * @param {Work} work
 * @param {() => Promise<void>} pause called between tiles; it may throw to stop
 * @returns {Promise<Uint8Array<ArrayBuffer>>} RGBA of the photo's size
 */
export async function stylizeTiles(photo, stats, tile, { networks, report }, pause) {
  const measurer = await networks.forTiles(stats)
  const statistics = await estimateStatistics(photo, async sample => {
    await pause()
    return /** @type {Float32Array} */ (await measurer.measure(sample))
  })
  const model = await networks.forTiles(tile), { side } = tile
  const rows = spans(photo.height, tile), columns = spans(photo.width, tile), result = new Uint8Array(photo.data.length)
  const pixels = { data: new Uint8Array(4 * side * side), width: side, height: side }
  let done = 0
  for (const row of rows) {
    for (const column of columns) {
      readTile(photo, row.start, column.start, pixels, tile)
      const stylized = await model.run(pixels, statistics), count = column.end - column.first
      for (let y = row.first; y < row.end; y++) {
        const from = 4 * ((y - row.start) * side + column.first - column.start)
        result.set(stylized.subarray(from, from + 4 * count), 4 * (y * photo.width + column.first))
      }
      report(++done, rows.length * columns.length)
      await pause()
    }
  }
  return result
}

/**
 * The tiles along one axis: each one's start, and the first pixel and the end of its part of the result.
 * @param {number} length
 * @param {TileFile} tile
 */
function spans(length, { side, margin, multiple }) {
  const last = Math.max(0, paddedLength(length, multiple) - side), result = []
  for (let start = 0, used = 0; used < length; start = Math.min(start + side - 2 * margin, last)) {
    const end = start === last ? length : start + side - margin
    result.push({ start, first: used, end })
    used = end
  }
  return result
}

/**
 * Copies a tile of the photo; beyond the photo, its edge repeats up to the multiple, and then it is mirrored.
 * @param {Pixels} photo
 * @param {number} top
 * @param {number} left
 * @param {Pixels} pixels
 * @param {TileFile} tile
 */
function readTile(photo, top, left, pixels, { side, multiple }) {
  const source = new Uint32Array(photo.data.buffer, photo.data.byteOffset, photo.width * photo.height)
  const target = new Uint32Array(pixels.data.buffer)
  const columns = Int32Array.from({ length: side }, (_, x) => sourceIndex(left + x, photo.width, multiple))
  for (let y = 0, i = 0; y < side; y++) {
    const start = sourceIndex(top + y, photo.height, multiple) * photo.width
    for (let x = 0; x < side; x++, i++) target[i] = source[start + columns[x]]
  }
}

/**
 * @param {number} index
 * @param {number} length
 * @param {number} multiple
 */
function sourceIndex(index, length, multiple) {
  const padded = paddedLength(length, multiple), phase = index % (2 * padded - 2)
  return Math.min(phase < padded ? phase : 2 * padded - 2 - phase, length - 1)
}

/**
 * @param {number} length
 * @param {number} multiple
 */
const paddedLength = (length, multiple) => Math.ceil(length / multiple) * multiple
