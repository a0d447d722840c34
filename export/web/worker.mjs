// Runs the network, so that the page stays usable meanwhile.
// In: { model: URL, pixels: RGBA bytes, width, height }. Out: { painted, seconds, threads }, or { fault }: a sentence.
let ort, session, loaded

async function prepare(model) {
  if (!ort) {
    const found = await import('./ort.wasm.min.mjs').catch(() => {
      throw new Error('ONNX Runtime Web is not beside this page; use impasto-preview bundle=DIR')
    })
    found.env.wasm.wasmPaths = new URL('.', import.meta.url).href
    found.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency || 1) : 1
    found.env.logLevel = 'error'
    ort = found
  }
  if (loaded !== model) {
    const answer = await fetch(model)
    if (!answer.ok) throw new Error(`${model} is missing (${answer.status}); export the bundle again`)
    await session?.release()
    loaded = undefined
    session = await ort.InferenceSession.create(await answer.arrayBuffer(), { logSeverityLevel: 3 })
    loaded = model
  }
}

function tensor(pixels, width, height, kind) {
  if (kind === 'uint8') return new ort.Tensor('uint8', pixels, [1, height, width, 4])
  const plane = width * height, values = new Float32Array(3 * plane)
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) values[c * plane + i] = pixels[4 * i + c]
  return new ort.Tensor('float32', values, [1, 3, height, width])
}

function bytes(result, pixels) {
  if (result.type === 'uint8') return result.data.slice()
  const plane = pixels.length / 4, painted = new Uint8ClampedArray(pixels)  // this kind of array rounds and clamps
  for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) painted[4 * i + c] = result.data[c * plane + i]
  return new Uint8Array(painted.buffer)
}

onmessage = async ({ data: { model, pixels, width, height } }) => {
  try {
    await prepare(model)
    const feeds = { [session.inputNames[0]]: tensor(pixels, width, height, session.inputMetadata[0].type) }
    const start = performance.now()
    const results = await session.run(feeds).catch(error => {
      const reason = error.message ?? error
      throw new Error(`${width} × ${height} pixels are too much for this browser (${reason}); choose a smaller size`)
    })
    const seconds = (performance.now() - start) / 1000
    const painted = bytes(results[session.outputNames[0]], pixels)
    postMessage({ painted, seconds, threads: ort.env.wasm.numThreads }, [painted.buffer])
  } catch (error) {
    postMessage({ fault: String(error.message ?? error) })
  }
}
