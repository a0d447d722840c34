// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// What the page tells: a note on the picture, a sentence on an error, and a line for screen readers.
import { known, t } from './i18n.mjs'

/** @type {(id: string) => HTMLElement} */
export const at = id => /** @type {HTMLElement} */ (document.getElementById(id))

/** @type {ReturnType<typeof setTimeout> | undefined} */
let fading

/**
 * Shows a short note on the picture; without `seconds` it stays until the next one.
 * @param {string} text empty removes it
 * @param {number} [seconds]
 */
export function note(text, seconds) {
  clearTimeout(fading)
  const element = at('note')
  if (text) element.textContent = text
  element.classList.toggle('shown', Boolean(text))
  if (seconds) fading = setTimeout(() => element.classList.remove('shown'), 1000 * seconds)
}

/** Lets a screen reader say a text; the same text is said again. */
export function announce(/** @type {string} */ text) {
  at('announce').textContent = ''
  requestAnimationFrame(() => { at('announce').textContent = text })
}

/**
 * The sentence for an error: that of its code, else its own message; null for work that was canceled.
 * @param {any} error
 * @returns {string | null}
 */
export function sentence(error) {
  if (error?.name === 'AbortError') return null
  return known(error?.code) ? t(error.code, error.values) : t('error.other', { reason: error?.message ?? String(error) })
}

/**
 * Shows a sentence below the picture, or in the element of that id.
 * @param {string | null} text null or empty removes it
 * @param {string} [id]
 */
export function showError(text, id = 'error') {
  at(id).textContent = text ?? ''
  at(id).hidden = !text
}

/**
 * An error with the key of its sentence.
 * @param {string} code
 * @param {Record<string, string | number>} [values]
 */
export const problem = (code, values) => Object.assign(new Error(t(code, values)), { code, values })
