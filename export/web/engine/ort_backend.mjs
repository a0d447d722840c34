// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// ONNX Runtime Web, on the CPU (WASM with SIMD, and threads where the page is cross-origin isolated).
/** @import { Backend, Model, Pixels } from './types.mjs' */
import { failure } from './failure.mjs'

const MAX_THREADS = 4  // more are slower on phones, whose other cores are slow

/**
 * @param {URL} runtime the folder of the runtime's files
 * @returns {Promise<Backend>}
 */
export async function createWasmBackend(runtime) {
  const ort = await import(new URL('ort.wasm.min.mjs', runtime).href).catch(error => {
    throw failure('engine.runtime', `ONNX Runtime Web is not in ${runtime.pathname} (${error.message})`)
  })
  const threads = self.crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency || 1) : 1
  ort.env.wasm.wasmPaths = runtime.href
  ort.env.wasm.numThreads = threads
  ort.env.logLevel = 'error'
  const options = {
    executionProviders: ['wasm'],
    logSeverityLevel: 3,
    enableCpuMemArena: false,  // each style would otherwise keep the memory of its largest photo
    extra: { session: { disable_quant_qdq: '1' } },  // 8-bit weights are converted once, not in each run
  }
  return {
    name: 'ONNX Runtime WASM',
    threads,
    format: 'onnx',
    lost: new Promise(() => {}),
    open: async file => createModel(ort, await ort.InferenceSession.create(new Uint8Array(file), options)),
  }
}

/**
 * @param {any} ort the module of ONNX Runtime Web
 * @param {any} session
 * @returns {Model}
 */
export function createModel(ort, session) {
  const floats = session.inputMetadata[0].type !== 'uint8'
  /**
   * @param {Pixels} photo
   * @param {Float32Array | null} [more] statistics: the means, then the variances; or the weights of a store's styles
   */
  const values = async (photo, more) => {
    const { data, width, height } = photo, [image, second] = session.inputNames
    const feeds = { [image]: floats ? floatTensor(ort, photo) : new ort.Tensor('uint8', bytes(data), [1, height, width, 4]) }
    if (more) feeds[second] = new ort.Tensor('float32', more, second === 'styles' ? [more.length] : [2, more.length / 2])
    const output = (await session.run(feeds))[session.outputNames[0]], result = (await output.getData()).slice()
    output.dispose()
    return result
  }
  return {
    release: () => session.release(),
    measure: values,
    run: async (photo, more) => floats ? bytesOf(await values(photo), photo) : values(photo, more),
  }
}

/** @param {import('./types.mjs').Bytes} data */
const bytes = data => new Uint8Array(data.buffer, data.byteOffset, data.length)

/**
 * @param {any} ort
 * @param {Pixels} photo
 */
function floatTensor(ort, { data, width, height }) {
  const plane = width * height, values = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) values[c * plane + i] = data[4 * i + c]
  return new ort.Tensor('float32', values, [1, 3, height, width])
}

/**
 * @param {Float32Array} values
 * @param {Pixels} photo
 */
function bytesOf(values, { data, width, height }) {
  const plane = width * height, stylized = new Uint8ClampedArray(data)  // rounds and clamps
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) stylized[4 * i + c] = values[c * plane + i]
  return new Uint8Array(stylized.buffer)
}
