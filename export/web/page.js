// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The page of a bundle: opens a photo, sends it to worker.mjs, blends the result with the photo and shows both.
// A classic script, because browsers load no module from a page that was opened as a file.
'use strict'

const at = id => document.getElementById(id)
const before = at('before'), after = at('after')
const MIN_SIDE = 16  // px, the smallest side that an exported model accepts

let style = 'stylized'
let strokeResolution = 1024  // px of the short side at which the network runs by default, as in impasto-stylize
let photo  // { bitmap, stem }
let images  // { width, height, photo, stylized, mask }: RGBA bytes of one size
let mask  // a grayscale bitmap with the photo's aspect ratio, or null
let worker, running, pending  // one request runs at a time; only the newest pending one is retained

const ready = readManifest()

function show(status, error = '', busy = false) {
  at('status').textContent = status
  at('status').hidden = !status
  at('error').textContent = error
  at('error').hidden = !error
  at('busy').hidden = !busy
}

function fail(error) {
  show('', error)
}

async function readManifest() {
  if (location.protocol === 'file:')
    return fail('A page opened as a file cannot read the model; use impasto-preview bundle=DIR.')
  try {
    const { style: { name, stroke_resolution }, licenses, files } = await (await fetch('../manifest.json')).json()
    style = name
    if (stroke_resolution) {
      strokeResolution = stroke_resolution
      at('strokes').options[0].textContent = `as large as the painting’s (${stroke_resolution} px)`
    }
    at('name').textContent = document.title = style
    const { author, license } = licenses.find(({ part }) => part === 'painting')
    const credit = [author !== 'unknown' && `Style by ${author}`, license !== 'unknown' && `license of the style: ${license}`]
    at('credit').textContent = credit.filter(Boolean).join('; ')
    const names = { 'android/model.onnx': 'fp32', 'android/model.fp16.onnx': 'fp16', 'android/model.int8.onnx': 'int8' }
    for (const file of Object.keys(names).filter(file => files[file])) {
      const size = Math.ceil(files[file].bytes / 1000)
      at('model').add(new Option(`${names[file]}, ${size} kB`, new URL(`../${file}`, location.href).href))
    }
    at('models').hidden = at('model').length < 2
  } catch {
    fail('The manifest.json of the bundle cannot be read; export the bundle again.')
  }
}

async function decode(file) {
  try {
    return await createImageBitmap(file)
  } catch {
    fail(`${file.name} is not an image that this browser can read; choose a JPEG, PNG or WebP file.`)
  }
}

async function openPhoto(file) {
  if (!file) return
  await ready
  const bitmap = await decode(file)
  if (!bitmap) return
  photo = { bitmap, stem: file.name.replace(/\.[^.]*$/, '') || 'photo' }
  setMask(null)
  stylize()
}

async function openMask(file) {
  if (!file || !photo) return
  const bitmap = await decode(file)
  if (!bitmap) return
  const { width, height } = photo.bitmap
  if (Math.abs(bitmap.width * height - bitmap.height * width) > Math.max(width, height)) {
    const size = `${bitmap.width} × ${bitmap.height}`
    return fail(`The mask has ${size} pixels, but the photo has ${width} × ${height}; choose one of the same shape.`)
  }
  setMask(bitmap)
  at('area').value = 'white'
  at('error').hidden = true
  blend()
}

function setMask(bitmap) {
  mask = bitmap
  at('area').value = 'all'
  if (images) images.mask = null
}

function pixelsOf(bitmap, canvas, width, height) {
  Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d', { willReadFrequently: true })
  context.imageSmoothingQuality = 'high'
  context.drawImage(bitmap, 0, 0, width, height)
  return new Uint8Array(context.getImageData(0, 0, width, height).data.buffer)
}

function stylize() {
  if (!photo || !at('model').value) return
  const { width: fullWidth, height: fullHeight } = photo.bitmap
  if (Math.min(fullWidth, fullHeight) < MIN_SIDE)
    return fail(`The photo has ${fullWidth} × ${fullHeight} pixels; choose one of at least ${MIN_SIDE} × ${MIN_SIDE}.`)
  const limit = Number(at('size').value) || Infinity, scale = Math.min(1, limit / Math.max(fullWidth, fullHeight))
  const [width, height] = [fullWidth, fullHeight].map(side => Math.max(MIN_SIDE, Math.round(side * scale)))
  let pixels
  try {
    Object.assign(after, { width, height })
    pixels = pixelsOf(photo.bitmap, before, width, height)
  } catch {
    return fail(`${width} × ${height} pixels are too much for this browser; choose a smaller size.`)
  }
  images = { width, height, photo: pixels, stylized: null, mask: null }
  at('empty').hidden = true
  at('another').hidden = at('images').hidden = false
  at('compare').hidden = at('download').disabled = true
  show(`Stylizing ${width} × ${height} …`, '', true)
  const ofPhoto = at('strokes').value === 'native'
  pending = { model: at('model').value, pixels, width, height, strokeResolution: ofPhoto ? null : strokeResolution }
  send()
}

function send() {
  if (running || !pending) return
  if (!worker) {
    worker = new Worker('worker.mjs', { type: 'module' })
    worker.onmessage = ({ data }) => {
      running = false
      if (data.error) terminate(data.error)
      else if (pending) send()
      else showResult(data)
    }
    worker.onerror = () => terminate('the browser stopped the network; reload the page')
  }
  worker.postMessage(pending)
  running = true
  pending = null
}

function terminate(error) {
  worker.terminate()  // after an error, the state of its memory is undefined
  worker = running = pending = null
  fail(`${error[0].toUpperCase()}${error.slice(1)}.`)
}

function showResult({ stylized, seconds, threads }) {
  images.stylized = stylized
  at('compare').hidden = at('download').disabled = false
  show(`${images.width} × ${images.height} in ${seconds.toFixed(2)} s, ${threads} thread${threads > 1 ? 's' : ''}`)
  blend()
}

// The network has no input for these controls: they mix its picture with the photo, as models/image/color.py does.
const luma = (data, i) => 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]
function blend() {
  at('percent').textContent = `${at('strength').value} %`
  if (!images?.stylized) return
  const { width, height, photo, stylized } = images
  const context = after.getContext('2d'), result = context.createImageData(width, height), data = result.data
  const strength = Math.round(at('strength').value / 100 * 65536), keepColors = at('colors').checked, area = at('area').value
  if (mask && !images.mask) images.mask = pixelsOf(mask, new OffscreenCanvas(1, 1), width, height)
  for (let i = 0; i < data.length; i += 4) {
    for (let c = i; c < i + 3; c++) data[c] = (stylized[c] * strength + photo[c] * (65536 - strength) + 32768) >> 16
    if (keepColors) {
      const change = luma(data, i) - luma(photo, i)
      for (let c = i; c < i + 3; c++) data[c] = photo[c] + change  // a Uint8ClampedArray rounds and clamps
    }
    if (images.mask && area !== 'all') {
      const gray = Math.round(Math.round(luma(images.mask, i)) * images.mask[i + 3] / 255)
      const weight = area === 'white' ? gray : 255 - gray
      for (let c = i; c < i + 3; c++) data[c] = Math.floor((data[c] * weight + photo[c] * (255 - weight) + 127) / 255)
    }
    data[i + 3] = photo[i + 3]
  }
  context.putImageData(result, 0, 0)
}

function download() {
  after.toBlob(blob => {
    if (!blob) return fail('The browser could not encode the image; choose a smaller size.')
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = `${photo.stem}-${style.replace(/[^\p{L}\p{N}]+/gu, '-')}.png`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  }, 'image/png')
}

function moveDivider(percent) {
  at('split').value = percent
  at('images').style.setProperty('--split', `${at('split').value}%`)
}

function dragDivider(event) {
  if (!event.buttons || at('compare').hidden) return
  const box = before.getBoundingClientRect()
  moveDivider(100 * (event.clientX - box.left) / box.width)
}

function dragFile(event) {
  event.preventDefault()
  at('stage').classList.toggle('over', event.type === 'dragover')
}

for (const button of document.querySelectorAll('[data-choose]')) button.onclick = () => at('file').click()
at('file').onchange = () => { openPhoto(at('file').files[0]); at('file').value = '' }
at('choose-mask').onclick = () => at('mask').click()
at('mask').onchange = () => { openMask(at('mask').files[0]); at('mask').value = '' }
at('area').onchange = () => {
  if (mask || at('area').value === 'all') return blend()
  at('area').value = 'all'
  at('mask').click()
}
at('controls').onsubmit = event => event.preventDefault()
at('colors').onchange = blend
at('download').onclick = download
at('size').onchange = at('model').onchange = at('strokes').onchange = stylize
at('strength').oninput = () => requestAnimationFrame(blend)
at('split').oninput = () => moveDivider(at('split').value)
at('images').onpointerdown = event => { at('images').setPointerCapture(event.pointerId); dragDivider(event) }
at('images').onpointermove = dragDivider
document.ondragover = document.ondragleave = dragFile
document.ondrop = event => { dragFile(event); openPhoto(event.dataTransfer.files[0]) }
document.onpaste = event => openPhoto(event.clipboardData.files[0])
