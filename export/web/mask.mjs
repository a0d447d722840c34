// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The mask: where the finger has been, the photo or the painting comes out. Its alpha is 255 where the painting is.
import { startMaskKeys } from './mask_keys.mjs'
import { announce, at } from './messages.mjs'
import { t } from './i18n.mjs'

const SIDE = 1024  // px of the longer side of the mask, which the engine enlarges
const UNDO = 10  // strokes of the brush that can be undone

const frame = at('frame'), mask = new OffscreenCanvas(1, 1)
const context = /** @type {OffscreenCanvasRenderingContext2D} */ (mask.getContext('2d', { willReadFrequently: true }))

/** @type {ImageData[]} */
let earlier = []
/** @type {{ x: number, y: number } | null} */
let last = null
let drawn = false, painting = false, changed = () => {}

/** The mask as pixels, or null where nothing was drawn. */
export const maskPixels = () => drawn ? context.getImageData(0, 0, mask.width, mask.height) : null

/** Starts without a mask for a photo of this shape. */
export function resetMask(/** @type {number} */ width, /** @type {number} */ height) {
  const scale = SIDE / Math.max(width, height)
  Object.assign(mask, { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) })
  fill()
  earlier = []
  drawn = false
  show()
}

function fill() {
  context.globalCompositeOperation = 'source-over'
  context.fillStyle = '#000'
  context.fillRect(0, 0, mask.width, mask.height)
}

function show() {
  const undo = /** @type {HTMLButtonElement} */ (at('mask-undo')), clear = /** @type {HTMLButtonElement} */ (at('mask-clear'))
  undo.disabled = !earlier.length
  clear.disabled = !drawn
}

/** Retains the mask as it is, for undo. */
function remember() {
  earlier.push(context.getImageData(0, 0, mask.width, mask.height))
  if (earlier.length > UNDO) earlier.shift()
}

/** Starts a stroke of the brush. */
function begin() {
  remember()
  last = null
}

/** Draws from the last point of the stroke to this one; a point is in shares of the picture's sides. */
function drawTo(/** @type {number} */ x, /** @type {number} */ y) {
  const point = { x: x * mask.width, y: y * mask.height }, width = Number(/** @type {HTMLInputElement} */ (at('brush')).value) / 100
  const from = last ?? point, radius = width * Math.min(mask.width, mask.height) / 2
  context.globalCompositeOperation = painting ? 'source-over' : 'destination-out'
  const steps = Math.max(1, Math.ceil(Math.hypot(point.x - from.x, point.y - from.y) / (radius / 4)))
  for (let step = 1; step <= steps; step++)
    dab(from.x + (point.x - from.x) * step / steps, from.y + (point.y - from.y) * step / steps, radius)
  last = point
  drawn = true
  show()
  changed()
}

function follow(/** @type {PointerEvent} */ event) {
  const box = frame.getBoundingClientRect()
  drawTo((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height)
}

/** One soft, round dab. */
function dab(/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ radius) {
  const gradient = context.createRadialGradient(x, y, radius * 0.5, x, y, radius)
  gradient.addColorStop(0, '#000')
  gradient.addColorStop(1, '#0000')
  context.fillStyle = gradient
  context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius)
}

function invert() {
  remember()
  const pixels = context.getImageData(0, 0, mask.width, mask.height)
  for (let i = 3; i < pixels.data.length; i += 4) pixels.data[i] = 255 - pixels.data[i]
  context.putImageData(pixels, 0, 0)
  drawn = true
  announce(t('mask.inverted'))
}

function choose(/** @type {boolean} */ paint) {
  painting = paint
  at('mask-paint').setAttribute('aria-pressed', String(paint))
  at('mask-photo').setAttribute('aria-pressed', String(!paint))
}

/**
 * Connects brush and buttons. `isOn` says whether a finger draws now.
 * @param {() => boolean} isOn
 * @param {() => void} onChange
 */
export function startMask(isOn, onChange) {
  const done = () => { show(); onChange() }
  changed = onChange
  frame.addEventListener('pointerdown', event => {
    if (!isOn() || event.button) return
    frame.setPointerCapture(event.pointerId)
    begin()
    follow(event)
  })
  frame.addEventListener('pointermove', event => isOn() && frame.hasPointerCapture(event.pointerId) && follow(event))
  startMaskKeys({ isOn, begin, drawTo, brings: () => t(painting ? 'mask.paint' : 'mask.photo') })
  at('mask-photo').onclick = () => choose(false)
  at('mask-paint').onclick = () => choose(true)
  at('mask-invert').onclick = () => { invert(); done() }
  at('mask-undo').onclick = () => {
    const pixels = earlier.pop()
    if (pixels) context.putImageData(pixels, 0, 0)
    done()
  }
  at('mask-clear').onclick = () => {
    remember()
    fill()
    drawn = false
    choose(false)
    announce(t('mask.cleared'))
    done()
  }
}
