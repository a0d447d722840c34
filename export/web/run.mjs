// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Runs an ONNX file on images in ONNX Runtime Web (WASM). export/validation/ort_web.py starts `node run.mjs JOB.json`.
// The file runs in Node or, if job.browser is set, in that browser, which imports `stylize` from this module.
// JOB.json: { model, pictures: [{ height, width }], packages, seconds, browser, flags }. The inputs 0.in, 1.in ... and
// the outputs 0.out, 1.out ... are in its folder, as RGBA bytes.

export async function stylize(ort, model, pictures) {
  ort.env.logLevel = 'error'
  ort.env.wasm.numThreads = 1  // with more, its build for Node calls `require`, which modules lack (1.30.0)
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 })
  const results = []
  for (const { height, width, pixels } of pictures) {
    const { stylized } = await session.run({ image: new ort.Tensor('uint8', pixels, [1, height, width, 4]) })
    results.push(stylized.data.slice())
  }
  return results
}

async function main(jobFile) {
  const { readFile, writeFile } = await import('node:fs/promises')
  const path = await import('node:path')
  const { pathToFileURL } = await import('node:url')
  const job = JSON.parse(await readFile(jobFile))
  setTimeout(() => process.exit(3), 1000 * job.seconds).unref()  // ends an orphan, whose parent was killed
  const folder = path.dirname(jobFile)
  const runtime = path.join(job.packages, 'onnxruntime-web', 'dist')
  const pictures = await Promise.all(job.pictures.map(async ({ height, width }, number) => (
    { height, width, pixels: new Uint8Array(await readFile(path.join(folder, `${number}.in`))) })))
  const model = new Uint8Array(await readFile(job.model))
  const results = job.browser
    ? await stylizeInBrowser(job, runtime, model, pictures)
    : await stylize(await import(pathToFileURL(path.join(runtime, 'ort.wasm.min.mjs'))), model, pictures)
  await Promise.all(results.map((pixels, number) => writeFile(path.join(folder, `${number}.out`), pixels)))
}

async function stylizeInBrowser(job, runtime, model, pictures) {
  const { createServer } = await import('node:http')
  const { readFile } = await import('node:fs/promises')
  const path = await import('node:path')
  const { createRequire } = await import('node:module')
  const { chromium } = createRequire(path.join(job.packages, 'package.json'))('playwright-core')
  const results = []
  const page = '<!doctype html><link rel="icon" href="data:,">'
  const server = createServer(async (request, response) => {
    const [, kind, name] = request.url.split('/')
    const types = { '.mjs': 'text/javascript', '.wasm': 'application/wasm' }
    if (request.method === 'POST') results[name] = Buffer.concat(await request.toArray())
    const body = {
      '': () => page,
      run: () => readFile(new URL(import.meta.url)),
      runtime: () => readFile(path.join(runtime, path.basename(name))),
      model: () => model,
      picture: () => pictures[name].pixels,
      result: () => '',
    }[kind]
    response.writeHead(body ? 200 : 404, { 'Content-Type': types[path.extname(request.url)] ?? 'text/html' })
    response.end(await body?.())
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const browser = await chromium.launch({ executablePath: job.browser, args: job.flags, timeout: 1000 * job.seconds })
  try {
    const tab = await browser.newPage()
    await tab.goto(`http://127.0.0.1:${server.address().port}/`)
    await tab.evaluate(async shapes => {
      const [ort, { stylize }] = await Promise.all([import('/runtime/ort.wasm.min.mjs'), import('/run/run.mjs')])
      ort.env.wasm.wasmPaths = '/runtime/'
      const bytes = async url => new Uint8Array(await (await fetch(url)).arrayBuffer())
      const pictures = await Promise.all(shapes.map(async (shape, number) => (
        { ...shape, pixels: await bytes(`/picture/${number}`) })))
      const results = await stylize(ort, await bytes('/model'), pictures)
      await Promise.all(results.map((body, number) => fetch(`/result/${number}`, { method: 'POST', body })))
    }, job.pictures)
  } finally {
    await browser.close()
    server.close()
  }
  return results
}

if (globalThis.process?.argv[2]) {
  await main(process.argv[2]).catch(error => {
    console.error(`error: ${String(error.message ?? error).split('\n')[0]}`)
    process.exit(1)
  })
}
