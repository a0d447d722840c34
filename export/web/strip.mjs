// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The strip of styles: a radio group, of which each thumbnail becomes the user's own photo in that style.
import { artistOf, t, titleOf } from './i18n.mjs'
import { at } from './messages.mjs'
import { draw } from './picture.mjs'

const ORIGINAL = ''  // the name of the first entry, the photo itself
const strip = at('strip')

/** @type {Map<string, { button: HTMLButtonElement, canvas: HTMLCanvasElement, image: ImageData | null, style: any }>} */
const entries = new Map()

/**
 * Builds the strip.
 * @param {any[]} styles of app.json
 * @param {(style: any) => void} choose gets the style, null for the original photo
 */
export function buildStrip(styles, choose) {
  for (const style of [null, ...styles]) {
    const button = document.createElement('button'), thumb = document.createElement('span')
    const canvas = document.createElement('canvas'), label = document.createElement('span'), more = document.createElement('span')
    Object.assign(button, { type: 'button', className: 'style' })
    button.setAttribute('role', 'radio')
    button.dataset.style = style?.name ?? ORIGINAL
    thumb.className = 'thumb'
    label.className = 'name'
    if (style?.thumbnail) thumb.append(Object.assign(new Image(), { src: style.thumbnail, alt: '', decoding: 'async' }))
    thumb.append(canvas)
    canvas.setAttribute('aria-hidden', 'true')
    button.append(thumb, label, more)
    button.onclick = () => choose(style)
    strip.append(button)
    entries.set(style?.name ?? ORIGINAL, { button, canvas, image: null, style })
  }
  labelStrip()
  mark(null)
  strip.onkeydown = event => move(event, choose)
}

/** A title without what is in parentheses at its end. */
const shorten = (/** @type {string} */ title) => title.replace(/ \(.*\)$/, '')

/** Writes the names of the styles in the language of the page; those that would be equal have their last parentheses. */
export function labelStrip() {
  const titles = [...entries.values()].map(({ style }) => style ? titleOf(style) : t('styles.none')), short = titles.map(shorten)
  for (const [i, { button, style }] of [...entries.values()].entries()) {
    const title = titles[i], artist = style && artistOf(style), [, label, more] = button.children
    const unique = short.indexOf(short[i]) === short.lastIndexOf(short[i])
    label.textContent = short[i]
    more.textContent = unique ? '' : / \([^()]*\)$/.exec(title)?.[0] ?? ''
    button.setAttribute('aria-label', artist ? t('styles.by', { title, artist }) : title)
  }
}

/**
 * Marks a style as the chosen one.
 * @param {any} style
 */
export function mark(style) {
  for (const [name, { button }] of entries) {
    const chosen = name === (style?.name ?? ORIGINAL)
    button.setAttribute('aria-checked', String(chosen))
    button.tabIndex = chosen ? 0 : -1
    if (chosen) reveal(button)
  }
}

/** Scrolls the strip, and nothing around it, until a style is in its middle. */
function reveal(/** @type {HTMLElement} */ button) {
  const box = button.getBoundingClientRect(), around = strip.getBoundingClientRect()
  const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'
  const left = box.left + box.width / 2 - around.left - around.width / 2
  const top = box.top + box.height / 2 - around.top - around.height / 2
  strip.scrollBy({ left, top, behavior })
}

/** Removes the thumbnails of an earlier photo, and shows this one as the original. */
export function resetThumbnails(/** @type {ImageData} */ photo) {
  for (const entry of entries.values()) {
    entry.image = null
    entry.button.firstElementChild?.classList.remove('ready')
  }
  showThumbnail(null, photo)
}

/**
 * Shows a thumbnail.
 * @param {any} style
 * @param {ImageData} image
 */
export function showThumbnail(style, image) {
  const entry = entries.get(style?.name ?? ORIGINAL)
  if (!entry) return
  entry.image = image
  draw(entry.canvas, image)
  entry.button.firstElementChild?.classList.add('ready')
}

/** The thumbnail of a style, or null where it is not painted yet. */
export const thumbnailOf = (/** @type {any} */ style) => entries.get(style.name)?.image ?? null

/**
 * Arrow keys choose the next style, as in any radio group.
 * @param {KeyboardEvent} event
 * @param {(style: any) => void} choose
 */
function move(event, choose) {
  const list = [...entries.values()], now = list.findIndex(({ button }) => button === event.target)
  const rightToLeft = getComputedStyle(strip).direction === 'rtl'
  const steps = { ArrowDown: 1, ArrowUp: -1, ArrowRight: rightToLeft ? -1 : 1, ArrowLeft: rightToLeft ? 1 : -1 }
  const step = /** @type {Record<string, number>} */ (steps)[event.key]
  const next = event.key === 'Home' ? 0 : event.key === 'End' ? list.length - 1 : step && (now + step + list.length) % list.length
  if (now < 0 || next === undefined) return
  event.preventDefault()
  list[next].button.focus()
  choose(list[next].style)
}
