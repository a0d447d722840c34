// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Runs the network outside the page's thread, so that the page remains responsive.
// Receives { model: URL, pixels: RGBA bytes, width, height, strokeResolution: px or null }.
// Posts { stylized, seconds, threads }, or { error: message }.
import { enlarge, reduce, smallSize } from './strokes.mjs'

let ort, session, sessionModel

async function loadModel(model) {
  if (!ort) {
    const module = await import('./ort.wasm.min.mjs').catch(() => {
      throw new Error('ONNX Runtime Web is not in the folder of this page; use impasto-preview bundle=DIR')
    })
    module.env.wasm.wasmPaths = new URL('.', import.meta.url).href
    module.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1
    module.env.logLevel = 'error'
    ort = module
  }
  if (sessionModel !== model) {
    const response = await fetch(model)
    if (!response.ok) throw new Error(`${model} is missing (${response.status}); export the bundle again`)
    await session?.release()
    sessionModel = undefined
    session = await ort.InferenceSession.create(await response.arrayBuffer(), { logSeverityLevel: 3 })
    sessionModel = model
  }
}

function toTensor(pixels, width, height, type) {
  if (type === 'uint8') return new ort.Tensor('uint8', pixels, [1, height, width, 4])
  const plane = width * height, values = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) values[c * plane + i] = pixels[4 * i + c]
  return new ort.Tensor('float32', values, [1, 3, height, width])
}

function toPixels(output, pixels) {
  if (output.type === 'uint8') return output.data.slice()
  const plane = pixels.length / 4, stylized = new Uint8ClampedArray(pixels)  // rounds and clamps
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) stylized[4 * i + c] = output.data[c * plane + i]
  return new Uint8Array(stylized.buffer)
}

async function run(pixels, width, height) {
  const feeds = { [session.inputNames[0]]: toTensor(pixels, width, height, session.inputMetadata[0].type) }
  const results = await session.run(feeds).catch(error => {
    const reason = error.message ?? error
    throw new Error(`${width} × ${height} pixels are too much for this browser (${reason}); choose a smaller size`)
  })
  return toPixels(results[session.outputNames[0]], pixels)
}

async function stylize(pixels, width, height, small) {
  if (!small) return run(pixels, width, height)
  const copy = reduce(pixels, width, height, small)
  return enlarge(await run(copy, small.width, small.height), copy, small, pixels, width, height)
}

onmessage = async ({ data: { model, pixels, width, height, strokeResolution } }) => {
  try {
    await loadModel(model)
    const start = performance.now()
    const stylized = await stylize(pixels, width, height, smallSize(width, height, strokeResolution))
    const seconds = (performance.now() - start) / 1000
    postMessage({ stylized, seconds, threads: ort.env.wasm.numThreads }, [stylized.buffer])
  } catch (error) {
    postMessage({ error: String(error.message ?? error) })
  }
}
