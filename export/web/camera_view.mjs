// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The viewfinder: the camera painted live, with the adjustments and the strip of styles below it.
import { number, t } from './i18n.mjs'
import { at, sentence, showError } from './messages.mjs'
import { STROKES } from './painter.mjs'

const view = /** @type {HTMLDialogElement} */ (at('camera'))

/** @type {any} */
let camera = null

/**
 * Connects the viewfinder.
 * @param {{ engine: any, look: any, style: () => any, takeStyle: () => void, open: (picture: any) => void, back: () => void }} page
 *   `takeStyle` chooses a style where there is none; `open` gets the picture that was taken, and `back` is called without one
 */
export function startCameraView({ engine, look, style, takeStyle, open, back }) {
  const strip = at('strip'), panel = at('panel'), home = /** @type {HTMLElement} */ (strip.parentElement)
  let taken = false
  const controls = () => ({ strength: look.strength, keepColors: look.keepColors, strokes: STROKES[look.strokes] })
  const onStats = (/** @type {any} */ { fps, width, height }) => {
    const rate = t('camera.rate', { rate: number(fps, { maximumFractionDigits: fps < 1 ? 1 : 0 }), width, height })
    at('camera-note').textContent = STROKES[look.strokes] > 1 ? `${rate} · ${t('camera.strokes')}` : rate
  }
  const adjustHere = (/** @type {boolean} */ here) => {
    if (here) view.querySelector('.shutter')?.before(panel, strip)
    else home.before(panel), home.append(strip)
    if (at('tab-mask').getAttribute('aria-selected') === 'true') at('tab-strength').click()
    at('tab-mask').hidden = at('compare').hidden = here  // both are about the photo
  }
  const close = () => {
    camera?.stop()
    camera = null
    adjustHere(false)
    if (!taken) back()
  }
  at('camera-button').onclick = async () => {
    showError(null)
    takeStyle()
    taken = false
    adjustHere(true)
    at('camera-note').textContent = t('status.starting')
    view.showModal()
    const onError = (/** @type {unknown} */ error) => { view.close(); showError(sentence(error)) }
    try {
      const { startCamera } = await import('./engine/camera.mjs')
      const canvas = /** @type {HTMLCanvasElement} */ (at('viewfinder')), facing = 'environment'
      const started = await startCamera({ engine, canvas, facing, style, controls, onStats, onError })
      if (view.open) camera = started
      else started.stop()
    } catch (error) {
      onError(error)
    }
  }
  at('camera-close').onclick = () => view.close()
  view.onclose = close
  at('camera-flip').onclick = () => Promise.resolve(camera?.flip()).catch(error => { at('camera-note').textContent = sentence(error) ?? '' })
  at('camera-take').onclick = async () => {
    if (!camera) return
    try {
      const bitmap = await camera.still(), name = t('camera.name')
      taken = true
      view.close()
      open({ bitmap, file: null, name, stem: `photo-${stamp()}`, sample: false })
    } catch (error) {
      at('camera-note').textContent = sentence(error) ?? ''
    }
  }
}

/** Date and time, as cameras name their files. */
const stamp = () => new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')
