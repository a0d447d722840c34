// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Changes the size of the picture in a .tflite file that export/litert wrote, so that one file serves every photo. The
// shapes of its tensors and the constants of its slices and resizes are integers that follow from the picture's size:
// side / 1, 2, 4 and so on, and a few pixels of padding. They are rewritten where they stand, for the first signature.
import { failure } from './failure.mjs'

const SCALES = [1, 2, 4, 8, 16, 32]
const PADDING = 16  // px, at most: the border of a photo has 8, and a convolution of 9 px pads 8
const BEFORE = 5  // px, at most: where the slices before the end of a side start, which mirror it
const KERNEL = 9  // px, at most
const INT32 = 2  // TensorType
const LEAST = 22  // smaller integers are no sides: kernels, channels of pixels, starts of slices
const MODEL = { subgraphs: 2, buffers: 4, signatures: 7 }, SUBGRAPH = { tensors: 0, inputs: 1 }
const TENSOR = { shape: 0, type: 1, buffer: 2 }, BUFFER = { data: 0 }

/**
 * Returns a copy of a file for pictures of another size.
 * @param {ArrayBuffer} file
 * @param {number} width a multiple of `multipleOf(file)`
 * @param {number} height
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function resized(file, width, height) {
  const view = new View(file.slice(0)), { tensors, buffers, size, root } = parts(view)
  for (const vector of [MODEL.subgraphs, MODEL.signatures]) view.setCount(view.vector(root, vector), 1)
  /** @type {(value: number, axis: 0 | 1) => number} */
  const changed = (value, axis) => {
    const scale = scaleOf(value, size[axis])
    return scale ? value + ([height, width][axis] - size[axis]) / scale : value
  }
  const done = new Set()  // equal vectors are stored once
  /** @type {(start: number, count: number) => void} */
  const change = (start, count) => {
    if (done.has(start) || (count !== 4 && count !== 2)) return
    done.add(start)
    for (const axis of /** @type {const} */ ([0, 1])) {
      const at = start + 4 * (count === 4 ? axis + 1 : axis)  // [1, height, width, channels] or [height, width]
      view.data.setInt32(at, changed(view.data.getInt32(at, true), axis), true)
    }
  }
  for (const tensor of tensors) {
    const shape = view.vector(tensor, TENSOR.shape), data = view.vector(buffers[view.number(tensor, TENSOR.buffer)], BUFFER.data)
    if (!data) change(shape.start, shape.count)
    else if (view.byte(tensor, TENSOR.type) === INT32) change(data.start, data.count / 4)
  }
  return new Uint8Array(view.data.buffer)
}

/**
 * The number that both sides of the picture must be a multiple of.
 * @param {ArrayBuffer} file
 */
export function multipleOf(file) {
  const { heights, size } = parts(new View(file))
  return Math.max(...heights.map(height => scaleOf(height, size[0])))
}

/**
 * Which part of the picture's side a value is, with padding: side / 1, 2, 4 and so on; 0 for a value that is no side.
 * @param {number} value
 * @param {number} side
 */
function scaleOf(value, side) {
  const scale = SCALES.find(scale => {
    const part = side / scale
    return part >= LEAST && value >= part - BEFORE && value <= part + PADDING
  })
  if (!scale && value >= LEAST)
    throw failure('gpu.file', `the file for the GPU has a side of ${value} px where its picture has ${side}`)
  return value < LEAST ? 0 : scale ?? 0
}

/** @param {View} view */
function parts(view) {
  const root = view.root()
  const [subgraph] = view.tables(root, MODEL.subgraphs), tensors = view.tables(subgraph, SUBGRAPH.tensors)
  const [image] = view.integers(view.vector(subgraph, SUBGRAPH.inputs))
  const [, height, width] = view.integers(view.vector(tensors[image], TENSOR.shape))
  const buffers = view.tables(root, MODEL.buffers)
  const results = tensors.filter(tensor => !view.vector(buffers[view.number(tensor, TENSOR.buffer)], BUFFER.data))
  const shapes = results.map(tensor => view.integers(view.vector(tensor, TENSOR.shape)))
    .filter(({ length }) => length === 4)
  const sides = shapes.flatMap(([, ...sides]) => sides.slice(0, 2)), heights = shapes.map(shape => shape[1])
  if (Math.min(height, width) < 8 * LEAST || sides.some(side => side > KERNEL && side < LEAST))
    throw failure('gpu.file', `the file for the GPU has pictures of ${width} × ${height} px, too small to tell its sides`)
  return { root, tensors, buffers, size: [height, width], heights }
}

/** Reads a FlatBuffer: a table is where it starts; a field is its number. */
class View {
  /** @param {ArrayBuffer} file */
  constructor(file) {
    this.data = new DataView(file)
    if (file.byteLength < 8 || this.data.getUint32(4, true) !== 0x334c4654)  // 'TFL3'
      throw failure('gpu.file', 'the file for the GPU is not a .tflite file')
  }

  root() {
    return this.data.getUint32(0, true)
  }

  /**
   * Where a field is; 0 for one that has its default.
   * @param {number} table
   * @param {number} field
   */
  position(table, field) {
    const layout = table - this.data.getInt32(table, true), slot = 4 + 2 * field
    const offset = slot < this.data.getUint16(layout, true) ? this.data.getUint16(layout + slot, true) : 0
    return offset && table + offset
  }

  /** @param {number} table @param {number} field */
  number(table, field) {
    const at = this.position(table, field)
    return at ? this.data.getUint32(at, true) : 0
  }

  /** @param {number} table @param {number} field */
  byte(table, field) {
    const at = this.position(table, field)
    return at ? this.data.getInt8(at) : 0
  }

  /**
   * The first element and the length of a vector; null for one that is absent.
   * @param {number} table
   * @param {number} field
   * @returns {any}
   */
  vector(table, field) {
    const at = this.position(table, field), start = at && at + this.data.getUint32(at, true)
    return at ? { start: start + 4, count: this.data.getUint32(start, true) } : null
  }

  /** @param {{ start: number }} vector @param {number} count */
  setCount({ start }, count) {
    this.data.setUint32(start - 4, count, true)
  }

  /** @param {{ start: number, count: number } | null} vector */
  integers(vector) {
    return Array.from({ length: vector?.count ?? 0 }, (_, i) => this.data.getInt32((vector?.start ?? 0) + 4 * i, true))
  }

  /** @param {number} table @param {number} field */
  tables(table, field) {
    const vector = this.vector(table, field)
    return this.integers(vector).map((offset, i) => vector.start + 4 * i + offset)
  }
}
