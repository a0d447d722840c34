// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The viewfinder: the camera painted live, with the strip of styles below it.
import { number, t } from './i18n.mjs'
import { at, sentence, showError } from './messages.mjs'

const view = /** @type {HTMLDialogElement} */ (at('camera'))

/** @type {any} */
let camera = null

/**
 * Connects the viewfinder.
 * @param {{ engine: any, look: any, style: () => any, takeStyle: () => void, open: (picture: any) => void }} page `takeStyle` chooses a style
 *   where there is none; `open` gets the picture that was taken
 */
export function startCameraView({ engine, look, style, takeStyle, open }) {
  const strip = at('strip'), home = /** @type {HTMLElement} */ (strip.parentElement)
  const close = () => {
    camera?.stop()
    camera = null
    home.append(strip)
  }
  at('camera-button').onclick = async () => {
    showError(null)
    takeStyle()
    view.insertBefore(strip, view.querySelector('.shutter'))
    at('camera-note').textContent = t('status.starting')
    view.showModal()
    const onError = (/** @type {unknown} */ error) => { view.close(); showError(sentence(error)) }
    try {
      const { startCamera } = await import('./engine/camera.mjs')
      const canvas = /** @type {HTMLCanvasElement} */ (at('viewfinder')), facing = 'environment'
      const started = await startCamera({ engine, canvas, facing, style, strength: () => look.strength, onStats, onError })
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
      view.close()
      open({ bitmap, file: null, name, stem: `photo-${stamp()}`, sample: false })
    } catch (error) {
      at('camera-note').textContent = sentence(error) ?? ''
    }
  }
}

function onStats(/** @type {any} */ { fps, width, height }) {
  const digits = { maximumFractionDigits: 0 }
  at('camera-note').textContent = t('camera.rate', { rate: number(fps, digits), width, height })
}

/** Date and time, as cameras name their files. */
const stamp = () => new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-')
