// What tests do in a page with the engine. Each function returns what the test looks at; pictures are put to saved/.
import { createEngine } from './engine/engine.mjs'

const json = async name => (await fetch(name)).json()
const bytes = async name => new Uint8ClampedArray(await (await fetch(name)).arrayBuffer())
const save = (name, image) => fetch(`saved/${name}`, { method: 'PUT', body: image.data })
const pictureOf = async ({ file, width, height }) => new ImageData(await bytes(file), width, height)
const outcome = promise => promise.then(() => 'done', error => [error.name, error.code ?? '', error.message])

// Stylizes a picture in each way that cases.json lists.
export async function cases() {
  const { prefer, style, picture, cases, masks } = await json('cases.json'), engine = await createEngine({ prefer })
  const photo = await pictureOf(picture), runs = []
  for (const { name, mask, ...options } of cases) {
    const source = options.size ? await createImageBitmap(photo) : photo
    const { image, ...ran } = await engine.stylize(source, { style, mask: mask ? await pictureOf(masks[mask]) : null, ...options })
    await save(name, image)
    runs.push({ name, width: image.width, height: image.height, ...ran })
  }
  return { info: engine.info, runs }
}

// Loads three styles, one of them twice.
export async function downloads() {
  const { styles, picture } = await json('cases.json'), engine = await createEngine({ prefer: 'wasm' })
  const photo = await createImageBitmap(await pictureOf(picture)), loaded = []
  for (const style of [styles[0], styles[1], styles[0]]) {
    loaded.push(await engine.load(style))
    await engine.stylize(photo, { style, size: 32 })
    await engine.stylize(photo, { style, size: 32, strength: 0.5, keepColors: true })
  }
  return { loaded, width: photo.width }
}

// Ends a run at one of its tiles, and does what is wrong.
export async function failures() {
  const { styles, picture } = await json('cases.json'), engine = await createEngine({ prefer: 'wasm' })
  const photo = await pictureOf(picture), control = new AbortController(), seen = []
  const canceled = await outcome(engine.stylize(photo, {
    style: styles[0],
    strokeResolution: 'native',
    signal: control.signal,
    onProgress: ({ done, total }) => {
      seen.push(`${done}/${total}`)
      if (done === 2) control.abort()
    },
  }))
  const [again] = [await engine.stylize(photo, { style: styles[0], size: 64 })]
  const early = await outcome(engine.stylize(photo, { style: styles[0], signal: AbortSignal.abort() }))
  const file = url => ({ name: url, files: { onnx: { url, bytes: 0 } } })
  const missing = await outcome(engine.stylize(photo, { style: file('absent.onnx') }))
  const damaged = await outcome(engine.stylize(photo, { style: file('scenarios.mjs') }))
  const short = await outcome(engine.load({ ...styles[1], files: { onnx: { ...styles[1].files.onnx, bytes: 1 } } }))
  engine.close()
  const closed = await outcome(engine.stylize(photo, { style: styles[0] }))
  return { canceled, seen, again: again.image.width, early, missing, damaged, short, closed }
}

// Starts the engine where something about the GPU is wrong, twice.
export async function fallback() {
  const { prefer, style, picture } = await json('cases.json'), engine = await createEngine({ prefer }), photo = await pictureOf(picture)
  const before = { ...engine.info }, runs = []
  for (const strength of [1, 0.9]) {
    const { image, ...ran } = await engine.stylize(photo, { style, strokeResolution: strength === 1 ? 'native' : 48 })
    await save(`${strength}`, image)
    runs.push(ran)
  }
  return { before, runs, after: { ...engine.info } }
}

// Stylizes a photo of 12 megapixels that the browser decodes, as the page does: thumbnails, then the whole.
export async function large() {
  const { style, resolution } = await json('cases.json'), engine = await createEngine({ prefer: 'wasm' })
  const photo = await createImageBitmap(await (await fetch('large.jpg')).blob()), sizes = []
  for (const size of [128, 512, null]) {
    const { image, milliseconds } = await engine.stylize(photo, { style, size, strokeResolution: resolution })
    sizes.push([image.width, image.height, Math.round(milliseconds)])
  }
  const { milliseconds, image } = await engine.stylize(photo, { style, strokeResolution: resolution, strength: 0.5, keepColors: true })
  sizes.push([image.width, image.height, Math.round(milliseconds)])
  return { sizes }
}
