// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The picture: photo and painting on top of each other, held to see the photo, or divided to compare them.
import { t } from './i18n.mjs'
import { at } from './messages.mjs'
import { draw, pixelsOf } from './picture.mjs'

const HOLD = 180  // ms after which a finger on the picture shows the original

const canvas = (/** @type {string} */ id) => /** @type {HTMLCanvasElement} */ (at(id))
const frame = at('frame'), stage = at('stage'), split = /** @type {HTMLInputElement} */ (at('split'))

let ratio = 1, masking = false

/** Makes the picture as large as the stage allows. */
function fit() {
  const { clientWidth, clientHeight } = stage, width = Math.min(clientWidth, clientHeight * ratio)
  frame.style.width = `${Math.floor(width)}px`
  frame.style.height = `${Math.floor(width / ratio)}px`
}

/** Shows a photo; the painting of an earlier one is removed. */
export function showPhoto(/** @type {ImageBitmap} */ bitmap) {
  ratio = bitmap.width / bitmap.height
  const scale = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height))
  draw(canvas('photo'), pixelsOf(bitmap, Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)))
  frame.classList.remove('painted')
  frame.hidden = false
  fit()
  glow(canvas('photo'))
}

/**
 * Shows the painting, or with `rough` one that was painted small.
 * @param {ImageData} image
 * @param {boolean} [rough]
 */
export function showPainting(image, rough = false) {
  draw(canvas('painted'), image)
  frame.style.setProperty('--rough', `${Math.max(2, frame.clientWidth / image.width)}px`)  // hides its pixels
  canvas('painted').classList.toggle('rough', rough)
  frame.classList.add('painted')
  glow(canvas('painted'))
}

/** Shows the photo alone. */
export function showOriginal() {
  frame.classList.remove('painted')
  glow(canvas('photo'))
}

/** Colors the page behind the picture like the picture. */
function glow(/** @type {HTMLCanvasElement} */ source) {
  const target = canvas('ambience'), context = /** @type {CanvasRenderingContext2D} */ (target.getContext('2d'))
  context.drawImage(source, 0, 0, target.width, target.height)
}

/** Turns the divider on or off. */
export function compare(/** @type {boolean} */ on) {
  frame.classList.toggle('splitting', on)
  at('divider').hidden = !on
}

/** While a mask is drawn, a finger on the picture is the brush, and the picture takes keys. */
export function setMasking(/** @type {boolean} */ on) {
  masking = on
  frame.classList.toggle('masking', on)
  const attributes = { tabindex: '0', role: 'application', 'data-i18n-label': 'mask.canvas', 'aria-label': t('mask.canvas') }
  for (const [name, value] of Object.entries(attributes)) on ? frame.setAttribute(name, value) : frame.removeAttribute(name)
}

function moveDivider(/** @type {number} */ percent) {
  split.value = String(percent)
  frame.style.setProperty('--split', `${split.value}%`)
}

function hold(/** @type {boolean} */ on) {
  const shown = on && frame.classList.contains('painted')
  frame.classList.toggle('holding', shown)
  at('original-tag').hidden = !shown
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let holding

frame.addEventListener('pointerdown', event => {
  if (masking || event.button) return
  if (frame.classList.contains('splitting')) {
    frame.setPointerCapture(event.pointerId)
    drag(event)
  } else {
    holding = setTimeout(() => hold(true), HOLD)
  }
})
frame.addEventListener('pointermove', event => frame.hasPointerCapture(event.pointerId) && !masking && drag(event))
for (const type of ['pointerup', 'pointercancel', 'pointerleave'])
  frame.addEventListener(type, () => {
    clearTimeout(holding)
    hold(false)
  })
frame.addEventListener('contextmenu', event => event.preventDefault())
split.addEventListener('input', () => moveDivider(Number(split.value)))

function drag(/** @type {PointerEvent} */ event) {
  const box = frame.getBoundingClientRect()
  moveDivider(100 * (event.clientX - box.left) / box.width)
}

// The key O shows the original for as long as it is pressed.
const inText = (/** @type {Event} */ event) => event.target instanceof HTMLSelectElement
addEventListener('keydown', event => { if (event.code === 'KeyO' && !event.ctrlKey && !event.metaKey && !inText(event)) hold(true) })
addEventListener('keyup', event => { if (event.code === 'KeyO') hold(false) })
new ResizeObserver(fit).observe(stage)
