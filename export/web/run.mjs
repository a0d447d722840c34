// Run an ONNX file on pictures in ONNX Runtime Web (WASM). export/validation/ort_web.py starts `node run.mjs JOB.json`.
// The file runs under Node or, if job.browser is set, in that browser, which imports `paint` from here.
// JOB.json: { model, pictures: [{ height, width }], packages, seconds, browser, flags }. Its folder contains the inputs
// 0.in, 1.in ... and receives the outputs 0.out, 1.out ...; all are RGBA bytes.

export async function paint(ort, model, pictures) {
  ort.env.logLevel = 'error'
  ort.env.wasm.numThreads = 1  // with more, its build for Node asks for a `require` that modules lack (1.30.0)
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 })
  const painted = []
  for (const { height, width, pixels } of pictures) {
    const { stylized } = await session.run({ image: new ort.Tensor('uint8', pixels, [1, height, width, 4]) })
    painted.push(stylized.data.slice())
  }
  return painted
}

async function main(jobFile) {
  const { readFile, writeFile } = await import('node:fs/promises')
  const path = await import('node:path')
  const { pathToFileURL } = await import('node:url')
  const job = JSON.parse(await readFile(jobFile))
  setTimeout(() => process.exit(3), 1000 * job.seconds).unref()  // if the parent process was killed
  const folder = path.dirname(jobFile)
  const runtime = path.join(job.packages, 'onnxruntime-web', 'dist')
  const pictures = await Promise.all(job.pictures.map(async ({ height, width }, number) => (
    { height, width, pixels: new Uint8Array(await readFile(path.join(folder, `${number}.in`))) })))
  const model = new Uint8Array(await readFile(job.model))
  const painted = job.browser
    ? await browse(job, runtime, model, pictures)
    : await paint(await import(pathToFileURL(path.join(runtime, 'ort.wasm.min.mjs'))), model, pictures)
  await Promise.all(painted.map((pixels, number) => writeFile(path.join(folder, `${number}.out`), pixels)))
}

async function browse(job, runtime, model, pictures) {
  const { createServer } = await import('node:http')
  const { readFile } = await import('node:fs/promises')
  const path = await import('node:path')
  const { createRequire } = await import('node:module')
  const { chromium } = createRequire(path.join(job.packages, 'here.js'))('playwright-core')
  const painted = []
  const page = '<!doctype html><link rel="icon" href="data:,">'
  const server = createServer(async (request, response) => {
    const [, kind, name] = request.url.split('/')
    const types = { '.mjs': 'text/javascript', '.wasm': 'application/wasm' }
    if (request.method === 'POST') painted[name] = Buffer.concat(await request.toArray())
    const body = {
      '': () => page,
      run: () => readFile(new URL(import.meta.url)),
      runtime: () => readFile(path.join(runtime, path.basename(name))),
      model: () => model,
      picture: () => pictures[name].pixels,
      painted: () => '',
    }[kind]
    response.writeHead(body ? 200 : 404, { 'Content-Type': types[path.extname(request.url)] ?? 'text/html' })
    response.end(await body?.())
  })
  await new Promise(ready => server.listen(0, '127.0.0.1', ready))
  const browser = await chromium.launch({ executablePath: job.browser, args: job.flags, timeout: 1000 * job.seconds })
  try {
    const tab = await browser.newPage()
    await tab.goto(`http://127.0.0.1:${server.address().port}/`)
    await tab.evaluate(async shapes => {
      const [ort, { paint }] = await Promise.all([import('/runtime/ort.wasm.min.mjs'), import('/run/run.mjs')])
      ort.env.wasm.wasmPaths = '/runtime/'
      const bytes = async url => new Uint8Array(await (await fetch(url)).arrayBuffer())
      const pictures = await Promise.all(shapes.map(async (shape, number) => (
        { ...shape, pixels: await bytes(`/picture/${number}`) })))
      const painted = await paint(ort, await bytes('/model'), pictures)
      await Promise.all(painted.map((body, number) => fetch(`/painted/${number}`, { method: 'POST', body })))
    }, job.pictures)
  } finally {
    await browser.close()
    server.close()
  }
  return painted
}

if (globalThis.process?.argv[2]) {
  await main(process.argv[2]).catch(error => {
    console.error(`error: ${String(error.message ?? error).split('\n')[0]}`)
    process.exit(1)
  })
}
