// What tests do in a page with the engine. Each function returns what the test looks at; pictures are put to saved/.
import { createEngine } from './engine/engine.mjs'

const json = async name => (await fetch(name)).json()
const bytes = async name => new Uint8ClampedArray(await (await fetch(name)).arrayBuffer())
const save = (name, image) => fetch(`saved/${name}`, { method: 'PUT', body: image.data })
const pictureOf = async ({ file, width, height }) => new ImageData(await bytes(file), width, height)
const outcome = promise => promise.then(() => ['done'], error => [error.name, error.code ?? '', error.message])

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
  const file = (url, bytes) => ({ name: url, files: { onnx: { url, bytes } } })
  const missing = await outcome(engine.stylize(photo, { style: file('absent.onnx') }))
  const fixed = await outcome(engine.stylize(photo, { style: file('fixed.onnx'), size: 80 }))  // as if there were no memory
  const after = await engine.stylize(photo, { style: styles[1], size: 64 })
  const damaged = await outcome(engine.stylize(photo, { style: file('scenarios.mjs') }))
  const short = await outcome(engine.load(file('picture', 1)))
  engine.close()
  const closed = await outcome(engine.stylize(photo, { style: styles[0] }))
  return { canceled, seen, again: again.image.width, early, missing, damaged, short, closed, fixed, after: after.image.width }
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

// Shows the camera for a while, takes a photo, and turns to the other camera and back.
export async function camera() {
  const { startCamera } = await import('./engine/camera.mjs'), { style, real, strokes = 1, keepColors = false } = await json('cases.json')
  const asked = [], passing = {  // shows what it gets
    async frame(bitmap, { strokeResolution, keepColors }) {
      asked.push([bitmap.height, strokeResolution, keepColors])
      return { image: bitmap, milliseconds: 1, runtime: 'none' }
    },
  }
  const engine = real ? await createEngine({ prefer: 'wasm' }) : passing
  const canvas = document.createElement('canvas'), stats = []
  let enough
  const frames = count => new Promise(resolve => { enough = () => stats.length >= count && resolve() })
  const show = await startCamera({
    engine, canvas, facing: 'user', style: () => style, controls: () => ({ strength: 1, keepColors, strokes }),
    onStats: one => { stats.push(one); enough?.() },
  })
  const corners = image => {
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d', { willReadFrequently: true })
    context.drawImage(image, 0, 0)
    return [8, image.width - 8].map(x => [...context.getImageData(x, 8, 1, 1).data].slice(0, 3))
  }
  await frames(real ? 12 : 60)
  const front = { facing: show.facing, corners: corners(canvas) }, photo = await show.still()
  const turned = await outcome(show.flip())
  await frames(stats.length + 3)
  const back = { facing: show.facing, corners: corners(canvas) }
  await show.stop()
  const stopped = stats.length
  await new Promise(resolve => setTimeout(resolve, 300))
  return { asked, stats, front, back, turned, photo: [photo.width, photo.height], still: corners(photo), late: stats.length - stopped }
}

// Asks for a camera that is denied or absent.
export async function noCamera() {
  const { startCamera } = await import('./engine/camera.mjs')
  return { outcome: await outcome(startCamera({ engine: {}, canvas: document.createElement('canvas'), style() {}, controls() {} })) }
}

// Stylizes a video, cancels it in the middle of another try, and gives what is no video.
export async function video() {
  const { stylizeVideo } = await import('./engine/video.mjs'), { style, keepColors } = await json('cases.json'), asked = new Set()
  const engine = await createEngine({ prefer: 'wasm' }), file = await (await fetch('video')).blob(), shares = []
  const context = new OffscreenCanvas(64, 48).getContext('2d', { willReadFrequently: true }), decoded = []
  const centers = frame => {  // of the quarters, as this browser converts them: they differ by up to 7 from BT.709
    context.drawImage(frame, 0, 0)
    return [12, 36].map(y => [16, 48].map(x => [...context.getImageData(x, y, 1, 1).data].slice(0, 3)))
  }
  const asking = { base: engine.base, frame(frame, look) {
    decoded.push(centers(frame))
    asked.add(look.strokeResolution)
    return engine.frame(frame, look)
  } }
  const strokeResolution = ({ width, height }) => Math.min(width, height) / 2
  const result = await stylizeVideo(file, {
    engine: asking, style, keepColors, strokeResolution, onProgress: share => shares.push(share),
  })
  await fetch('saved/video', { method: 'PUT', body: result })
  const control = new AbortController()
  const canceled = await outcome(stylizeVideo(file, { engine, style, signal: control.signal, onProgress: share => share > 0.2 && control.abort() }))
  const wrong = await outcome(stylizeVideo(new Blob(['no video']), { engine, style }))
  const { VideoEncoder } = globalThis
  delete globalThis.VideoEncoder
  const old = await outcome(stylizeVideo(file, { engine, style }))
  Object.assign(globalThis, { VideoEncoder })
  const again = await engine.stylize(new ImageData(32, 32), { style })
  return { type: result.type, asked: [...asked], decoded, shares, canceled, wrong, old, again: again.image.width }
}
