// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The page: a photo, a strip of styles, and what is adjusted. Starts everything, and has its state.
import { blended, entriesOf, offerBlend, startBlend } from './blend.mjs'
import { startCameraView } from './camera_view.mjs'
import { createEngine } from './engine/engine.mjs'
import { mix } from './engine/mix.mjs'
import { artistOf, licenseOf, number, startLanguages, t, titleOf } from './i18n.mjs'
import { startInputs } from './inputs.mjs'
import { startInstall, startServiceWorker } from './installed.mjs'
import { maskPixels, resetMask, startMask } from './mask.mjs'
import { announce, at, note, problem, sentence, showError } from './messages.mjs'
import { Painter, resolutionOf } from './painter.mjs'
import { isVideo, openPicture, pixelsOf } from './picture.mjs'
import { startControls } from './controls.mjs'
import { startSaving } from './save.mjs'
import { compare, setMasking, showOriginal, showPainting, showPhoto } from './stage.mjs'
import { buildStrip, labelStrip, mark, resetThumbnails, showThumbnail, thumbnailOf } from './strip.mjs'
import { openVideo } from './video_view.mjs'

const SAMPLE = 'sample.jpg', FIRST_STYLE = 'starry_night'
const SLOW = 150  // ms after which the page shows that it is painting

/** What the user chose. */
const look = { style: /** @type {any} */ (null), strength: 1, keepColors: false, strokes: 2, blend: { other: '', share: 0 } }
/** @type {any} */
let engine = null
/** @type {Painter} */
let painter
/** @type {any[]} */
let styles = []
/** @type {import('./picture.mjs').Picture | null} */
let picture = null
/** The painting that is shown, and the photo at its size. @type {{ painting: ImageData, photo: ImageData } | null} */
let shown = null
let touched = false  // a reload would lose what the user did
let opens = 0  // files that were opened: a large photo does not replace a later one

/** Opens a photo or a video. */
async function open(/** @type {File} */ file) {
  const turn = ++opens
  showError(null)
  if (isVideo(file)) {
    takeStyle()
    const { strength, keepColors, strokes } = look, style = blended(look.style, look.blend)
    const strokeResolution = (/** @type {any} */ size) => resolutionOf(style, strokes, size)
    return openVideo(file, { engine, style, strength, keepColors, strokeResolution, masked: Boolean(maskPixels()) })
  }
  try {
    const opened = await openPicture(file)
    if (turn === opens) await show(opened)
  } catch (error) {
    if (turn === opens) fail(error)
  }
}

/** Shows a photo and paints it: first in the chosen style, then small in each. */
async function show(/** @type {import('./picture.mjs').Picture} */ opened) {
  showError(null)
  picture = opened
  touched ||= !opened.sample
  shown = null
  painter.open(opened)
  const { bitmap } = opened, { width, height } = bitmap, scale = Math.min(1, 224 / Math.min(width, height))
  showPhoto(bitmap)
  resetMask(width, height)
  resetThumbnails(pixelsOf(bitmap, Math.round(width * scale), Math.round(height * scale)))
  at('invite').hidden = !opened.sample
  at('painted').dataset.ready = ''
  if (!opened.sample) announce(t('photo.opened', { name: opened.name, width, height }))
  const painted = look.style ? paint() : null
  painter.paintThumbnails(styles, style => Boolean(thumbnailOf(style)), showThumbnail).catch(fail)
  await painted
}

/** Paints again what changed, unless the camera needs the network: then when it is closed. */
function repaint() {
  if (look.style && picture && !inCamera()) return paint()
}

const inCamera = () => /** @type {HTMLDialogElement} */ (at('camera')).open

/** Shows the photo in the chosen style: a small picture at once, then a sharp one. */
async function paint() {
  const { style, strokes } = look
  shown = null
  update()
  const slow = setTimeout(() => { working(true) }, SLOW)
  try {
    if (!thumbnailOf(style)) {
      showOriginal()
      showThumbnail(style, await painter.paintSmall(style))
    }
    showPainting(/** @type {ImageData} */ (thumbnailOf(style)), true)
    const { image, milliseconds, runtime } = await painter.paint(blended(style, look.blend), strokes)
    if (look.style !== style || look.strokes !== strokes) return
    shown = { painting: image, photo: pixelsOf(/** @type {any} */ (picture).bitmap, image.width, image.height) }
    showMix()
    update()
    at('painted').dataset.ready = style.name
    const seconds = number(milliseconds / 1000, { minimumFractionDigits: 2 }), { threads } = engine.info
    note(t(threads > 1 ? 'status.painted.threads' : 'status.painted', { seconds, runtime, threads }), 4)
    announce(t('status.announce', { title: titleOf(style) }))
  } catch (error) {
    fail(error)
  } finally {
    clearTimeout(slow)
    if (look.style === style) working(false)
  }
}

function working(/** @type {boolean} */ on) {
  at('working').hidden = !on
  if (on) note(t('status.painting'))
}

/** Mixes painting and photo as strength, colors and mask say, and shows that. */
function showMix() {
  if (shown) showPainting(mix(shown.photo, shown.painting, controls()))
}

const controls = () => ({ strength: look.strength, keepColors: look.keepColors, mask: maskPixels() })

let waiting = 0
/** Mixes once for all changes before the next frame. */
function adjust() {
  touched = true
  cancelAnimationFrame(waiting)
  waiting = requestAnimationFrame(showMix)
}

/** Chooses a style; null is the photo itself, which is no style for the camera. */
function choose(/** @type {any} */ style) {
  if (!style && inCamera()) return
  look.style = style
  mark(style)
  showError(null)
  update()
  if (!picture) return
  if (style) return repaint()
  shown = null
  working(false)
  showOriginal()
  update()
}

/** Chooses a style where there is none, for camera and video. */
function takeStyle() {
  if (!look.style) choose(styles[0])
}

/** Enables what the state allows. */
function update() {
  const save = /** @type {HTMLButtonElement} */ (at('save'))
  save.disabled = !picture || (Boolean(look.style) && !shown)
  at('panel').toggleAttribute('inert', !look.style)
  at('panel').classList.toggle('off', !look.style)
  offerBlend(look.style, look.blend)
}

function fail(/** @type {any} */ error) {
  const text = sentence(error)
  if (text) note('')
  if (text) showError(text)
}

/** What the sheet for saving needs. */
const current = () => ({
  picture,
  style: look.style,
  shown: shown?.photo ?? /** @type {any} */ (picture).bitmap,
  paint: async (/** @type {boolean} */ full, /** @type {any} */ options) => {
    const { bitmap } = /** @type {any} */ (picture)
    if (!look.style) return pixelsOf(bitmap, bitmap.width, bitmap.height)
    if (!full && shown) return mix(shown.photo, shown.painting, controls())
    const { strokes } = look, style = blended(look.style, look.blend)
    return (await painter.paintFull({ style, strokes, ...controls() }, options)).image
  },
})

function describe() {
  labelStrip()
  offerBlend(look.style, look.blend)
  const { style } = look, values = style && { title: titleOf(style), artist: artistOf(style), license: licenseOf(style) }
  at('about-style').textContent = values?.artist ? t('about.style', values) : ''
  const { runtime, reason } = engine?.info ?? {}
  const why = reason && t(reason.code, reason.values)
  at('about-runtime').textContent = runtime ? t(why ? 'about.reason' : 'about.runtime', { runtime, reason: why }) : ''
}

/** Reads the list of styles, and which runtimes the page has. */
async function readApp() {
  try {
    const app = await (await fetch('app.json')).json()
    if (app.format !== 'impasto-app/1') throw new Error(app.format)
    styles = entriesOf(app.styles)
    return app
  } catch {
    throw problem('styles.unreadable')
  }
}

async function start() {
  startLanguages(/** @type {HTMLSelectElement} */ (at('language')), describe)
  startInstall()
  update()
  const { runtimes } = await readApp()
  buildStrip(styles, style => { touched = true; choose(style) })
  look.style = styles.find(({ name }) => name === FIRST_STYLE) ?? styles[0]
  mark(look.style)
  await startServiceWorker(() => !touched)
  note(t('status.starting'))
  const wanted = new URLSearchParams(location.search).get('runtime')
  const prefer = /** @type {any} */ (wanted ?? (runtimes.litert ? 'auto' : 'wasm'))
  const starting = createEngine({ base: new URL('.', location.href), prefer }).then(started => {
    engine = started
    painter = new Painter(engine)
  })
  startInputs(file => starting.then(() => open(file), () => {}))  // a photo that comes early waits for the engine
  await starting
  startControls({ look, adjust, repaint, compare, setMasking })
  startBlend(look, repaint)
  startMask(() => at('frame').classList.contains('masking'), adjust)
  startSaving(current)
  startCameraView({ engine, look, style: () => blended(look.style, look.blend), takeStyle, open: show, back: repaint })
  at('about-button').onclick = () => { describe(); /** @type {HTMLDialogElement} */ (at('about')).showModal() }
  at('about-close').onclick = () => /** @type {HTMLDialogElement} */ (at('about')).close()
  document.documentElement.dataset.started = ''
  if (!picture) await showSample()
}

async function showSample() {
  const bitmap = await createImageBitmap(await (await fetch(SAMPLE)).blob())
  if (!picture) await show({ bitmap, file: null, name: SAMPLE, stem: 'sample', sample: true })
}

start().catch(fail)
