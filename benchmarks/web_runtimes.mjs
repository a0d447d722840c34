// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Two runtimes on the GPU of a browser, beside ONNX Runtime on its CPU: bytes to download, time to the first picture,
// milliseconds a picture, and the difference from the CPU's picture. Each measurement has a new page; the runtimes are
// interleaved, and the figures are medians. --gpu takes the flags of the GPU; the default is Chromium's software GPU.
//
// Run: node benchmarks/web_runtimes.mjs PACKAGES MODELS [--names tiny mobile] [--sizes 256] [--rounds 3] [--runs 3]
//      [--runtimes litert webgpu jspi wasm litert-cpu] [--browser chromium-headless-shell] [--gpu FLAG ...]
// PACKAGES has node_modules/{onnxruntime-web,@litertjs/core,playwright-core}; MODELS has NAME.onnx, and NAME_SIZE.tflite
// of one signature (impasto-export litert.sizes=[SIZE]).
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const [packages, models, ...rest] = process.argv.slice(2)
const options = { names: ['tiny'], sizes: ['256'], rounds: ['3'], runs: ['3'], browser: ['/usr/bin/chromium-headless-shell'] }
options.runtimes = ['litert', 'webgpu', 'jspi', 'wasm', 'litert-cpu']
options.gpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan']
for (let i = 0, key = ''; i < rest.length; i++) {
  if (rest[i].slice(2) in options) options[key = rest[i].slice(2)] = []
  else options[key].push(rest[i])
}
const modules = path.join(path.resolve(packages), 'node_modules')
const { chromium } = createRequire(path.join(modules, 'x'))('playwright-core')

const PAGE = `<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>x</title><body>
<script type=importmap>{"imports":{"@litertjs/wasm-utils":"/packages/@litertjs/wasm-utils/dist/index.js"}}</script>`
const TYPES = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' }
const server = createServer(async (request, response) => {
  const name = new URL(request.url, 'http://localhost').pathname
  const [, kind, ...parts] = name.split('/'), root = { packages: modules, models }[kind]
  const body = root ? await readFile(path.join(root, ...parts)).catch(() => null) : PAGE
  const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
  response.writeHead(body ? 200 : 404, { 'Content-Type': TYPES[path.extname(name)] ?? 'text/html', ...isolated })
  response.end(body)
})
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${server.address().port}/`
const browser = await chromium.launch({ executablePath: options.browser[0], args: ['--no-sandbox', ...options.gpu] })

// Runs in the page.
async function measure({ runtime, model, size, runs }) {
  const start = performance.now(), bytes = new Uint8Array(size * size * 4)
  for (let i = 0; i < bytes.length; i++) bytes[i] = i % 4 === 3 ? 255 : 127 + 127 * Math.sin(i * i / 9e5 + i % 4)
  const fetched = async url => new Uint8Array(await (await fetch(url)).arrayBuffer())
  let run, whole = null
  if (runtime.startsWith('litert')) {
    const { Tensor, loadAndCompile, loadLiteRt } = await import('/packages/@litertjs/core/dist/index.js')
    const gpu = runtime === 'litert'
    await loadLiteRt('/packages/@litertjs/core/wasm/', { threads: !gpu })
    const network = await loadAndCompile(await fetched(`/models/${model}_${size}.tflite`), { accelerator: gpu ? 'webgpu' : 'wasm' })
    whole = network.liteRtCompiledModel.isFullyAccelerated?.() ?? null
    run = async () => {
      const host = new Tensor(bytes, [1, size, size, 4]), input = gpu ? await host.moveTo('webgpu') : host
      const [output] = await network.run([input]), data = await output.data()
      input.delete()
      output.delete()
      return data
    }
  } else {
    const ort = await import(`/packages/onnxruntime-web/dist/ort.${runtime}.min.mjs`)
    ort.env.wasm.wasmPaths = '/packages/onnxruntime-web/dist/'
    ort.env.wasm.numThreads = runtime === 'wasm' ? Math.min(4, navigator.hardwareConcurrency) : 1
    ort.env.logLevel = 'error'
    const providers = runtime === 'wasm' ? ['wasm'] : [{ name: 'webgpu', preferredLayout: 'NCHW' }]
    const settings = { executionProviders: providers, logSeverityLevel: 3, extra: { session: { disable_quant_qdq: '1' } } }
    const session = await ort.InferenceSession.create(await fetched(`/models/${model}.onnx`), settings)
    run = async () => {
      const { stylized } = await session.run({ image: new ort.Tensor('uint8', bytes, [1, size, size, 4]) })
      return (await stylized.getData()).slice()
    }
  }
  const data = await run(), first = performance.now() - start, times = []
  for (let i = 0; i < runs; i++) {
    const begun = performance.now()
    await run()
    times.push(performance.now() - begun)
  }
  return { first, times, whole, pixels: Array.from(data) }
}

const median = values => [...values].sort((a, b) => a - b)[values.length >> 1]
const results = {}
for (const model of options.names) for (const size of options.sizes.map(Number)) {
  for (let round = 0; round < Number(options.rounds[0]); round++) for (const runtime of options.runtimes) {
    const key = `${model} ${size} ${runtime}`, entry = results[key] ??= { model, size, runtime, first: [], times: [] }
    const page = await browser.newPage(), urls = new Set()
    page.setDefaultTimeout(600_000)
    page.on('response', response => response.url().includes('/packages/') && urls.add(new URL(response.url()).pathname))
    try {
      await page.goto(url)
      const found = await page.evaluate(measure, { runtime, model, size, runs: Number(options.runs[0]) })
      entry.first.push(found.first)
      entry.times.push(...found.times)
      console.error(`${key}: ${Math.round(found.first)} ms, then ${found.times.map(Math.round).join(', ')} ms`)
      Object.assign(entry, { pixels: found.pixels, whole: found.whole, urls: [...urls] })
    } catch (error) {
      entry.error = String(error.message).split('\n')[0]
    }
    await page.close()
  }
}
await browser.close()
server.close()

console.log('| model | px | runtime | first picture, ms | a picture, ms | largest difference | bytes | gzip | brotli |')
console.log('| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |')
for (const { model, size, runtime, error, first, times, pixels, urls, whole } of Object.values(results)) {
  if (error) { console.log(`| ${model} | ${size} | ${runtime} | ${error} |`); continue }
  const expected = results[`${model} ${size} wasm`]?.pixels
  const largest = expected ? Math.max(...chunked(pixels.map((value, i) => Math.abs(value - expected[i])))) : '-'
  const files = await Promise.all(urls.map(url => readFile(path.join(modules, ...url.split('/').slice(2)))))
  const total = sizes => Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1000)
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }
  const bytes = [file => file.length, file => gzipSync(file).length, file => brotliCompressSync(file, quality).length]
  const kilobytes = bytes.map(size => `${total(files.map(size))} kB`)
  const note = whole === false ? ' (not whole)' : ''
  console.log(`| ${[model, size, runtime + note, ...[first, times].map(list => Math.round(median(list))), largest, ...kilobytes].join(' | ')} |`)
}

function chunked(values) {  // Math.max takes no 262,144 arguments
  return Array.from({ length: Math.ceil(values.length / 9999) }, (_, i) => Math.max(...values.slice(i * 9999, (i + 1) * 9999)))
}
