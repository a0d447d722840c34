// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// LiteRT.js on the GPU (WebGPU). docs/benchmarks.md compares it with ONNX Runtime's WebGPU.
/** @import { Backend, Model, Pixels } from './types.mjs' */
import { failure } from './failure.mjs'
import { cropped, padTo } from './pixels.mjs'
import { multipleOf, resized } from './tflite.mjs'

const MAX_SIZES = 3  // of a network that stay compiled
const TEST_SIDE = 64  // px
const TOLERANCE = 2  // levels by which the GPU may differ from the CPU

/**
 * @param {URL} runtime the folder of the runtime's files
 * @param {boolean} software whether a GPU in software will do, as tests need it
 * @returns {Promise<Backend>}
 */
export async function createGpuBackend(runtime, software) {
  if (!navigator.gpu) throw failure('gpu.webgpu', 'The browser has no WebGPU.')
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw failure('gpu.none', 'The browser has no GPU.')
  if (adapter.info.isFallbackAdapter && !software) throw failure('gpu.software', 'The GPU is one in software.')
  const litert = await import(new URL('litert.js', runtime).href).catch(() => {
    throw failure('gpu.files', 'LiteRT is not in the folder of this page.')
  })
  Object.assign(self, {
    Module: {
      locateFile: (/** @type {string} */ name) => new URL(name, runtime).href,  // it would look beside the worker
      print() {},
      printErr() {},  // its log of each step; failures are exceptions
    },
  })
  await litert.loadLiteRt(runtime.href)
  const device = litert.getWebGpuDevice()
  if (!device) throw failure('gpu.start', 'The GPU could not be started.')
  const precisions = device.features.has('shader-f16') ? ['fp16', 'fp32'] : ['fp32']  // the first that passes the test
  let tested = false
  return {
    name: 'LiteRT WebGPU',
    threads: 1,
    format: 'tflite',
    lost: device.lost.then((/** @type {GPUDeviceLostInfo} */ { message }) => ({ code: 'gpu.lost', values: { message } })),
    async open(file) {
      while (!tested) {
        const largest = await difference(litert, file, precisions[0])
        tested = largest <= TOLERANCE
        if (tested) break
        if (precisions.length === 1) throw Object.assign(failure('gpu.wrong', 'The GPU is wrong.'), { values: { levels: largest } })
        precisions.shift()
      }
      return new GpuModel(litert, file, gpuOptions(precisions[0]))
    },
  }
}

/** @param {string} precision */
const gpuOptions = precision => ({ accelerator: 'webgpu', gpuOptions: { precision } })

/**
 * The largest difference between the GPU's picture and that of LiteRT's CPU.
 * @param {any} litert
 * @param {ArrayBuffer} file
 * @param {string} precision
 */
async function difference(litert, file, precision) {
  const data = new Uint8Array(4 * TEST_SIDE * TEST_SIDE), photo = { data, width: TEST_SIDE, height: TEST_SIDE }
  for (let i = 0; i < data.length; i++) data[i] = i % 4 === 3 ? 255 : 127.5 + 127 * Math.sin(i * i / 9e5 + 2 * (i % 4))
  const models = [{ accelerator: 'wasm' }, gpuOptions(precision)].map(options => new GpuModel(litert, file, options))
  const [expected, actual] = [await models[0].run(photo), await models[1].run(photo)]
  for (const model of models) await model.release()
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i])), 0)
}

/** @implements {Model} */
class GpuModel {
  /** @type {Map<string, any>} compiled networks by size, the last used one last */
  #compiled = new Map()

  /**
   * @param {any} litert
   * @param {ArrayBuffer} file
   * @param {any} options of LiteRT: the accelerator and its precision
   */
  constructor(litert, file, options) {
    this.litert = litert
    this.file = file
    this.options = options
    this.multiple = multipleOf(file)
  }

  /**
   * @param {Pixels} photo
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async run(photo) {
    const { Tensor } = this.litert, padded = padTo(photo, this.multiple), { width, height } = padded
    const network = await this.#compile(width, height)
    const input = new Tensor(new Uint8Array(padded.data), [1, height, width, 4])
    const image = this.options.accelerator === 'webgpu' ? await input.moveTo('webgpu') : input
    const [output] = await network.run([image]), data = (await output.data()).slice()
    image.delete()
    output.delete()
    return padded === photo ? data : cropped({ data, width, height }, photo.width, photo.height)
  }

  /** @returns {Promise<Float32Array>} */
  async measure() {
    throw failure('gpu.network', 'The GPU measures no statistics.')
  }

  async release() {
    for (const network of this.#compiled.values()) network.delete()
    this.#compiled.clear()
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  async #compile(width, height) {
    const key = `${width}x${height}`
    let network = this.#compiled.get(key)
    this.#compiled.delete(key)
    if (!network) {
      if (this.#compiled.size >= MAX_SIZES) {
        const [[oldest, unused]] = this.#compiled
        this.#compiled.delete(oldest)
        unused.delete()
      }
      network = await this.litert.loadAndCompile(resized(this.file, width, height), this.options)
      if (network.options.accelerator !== this.options.accelerator)
        throw failure('gpu.network', 'The GPU cannot run the whole network.')
    }
    this.#compiled.set(key, network)
    return network
  }
}
