// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The language of the page: texts, direction and digits.
import { STRINGS } from './strings.mjs'

const KEY = 'impasto-language'

/** @type {keyof typeof STRINGS} */
let language = 'en'

/** The language that the user chose here, else the first of the browser's that there is. */
function preferred() {
  const wanted = [new URLSearchParams(location.search).get('lang'), stored(), ...navigator.languages]
  const known = wanted.map(tag => tag?.split('-')[0]).find(tag => tag && Object.hasOwn(STRINGS, tag))
  return /** @type {keyof typeof STRINGS} */ (known ?? 'en')
}

function stored() {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null  // site data are blocked
  }
}

/**
 * A text, with the values of its {names}; numbers in the digits of the language.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const text = /** @type {any} */ (STRINGS[language])[key] ?? /** @type {any} */ (STRINGS.en)[key] ?? key
  return text.replace(/\{(\w+)\}/g, (/** @type {string} */ _, /** @type {string} */ name) => {
    const value = values[name]
    return typeof value === 'number' ? number(value) : plain(String(value ?? ''))
  })
}

/**
 * A value without marks of direction (embeddings, overrides, isolates), which would turn the text around it. Latin names in
 * a language from right to left are isolated: the number after one would else be written as a part of it.
 */
function plain(/** @type {string} */ value) {
  const text = value.replace(/[\u202a-\u202e\u2066-\u2069]/g, '')
  return STRINGS[language].direction === 'rtl' && /\p{Script=Latin}/u.test(text) ? `\u2068${text}\u2069` : text
}

/** Whether there is such a text. */
export const known = (/** @type {unknown} */ key) => typeof key === 'string' && Object.hasOwn(STRINGS.en, key)

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export const number = (value, options = {}) =>
  new Intl.NumberFormat(language, { useGrouping: false, maximumFractionDigits: 2, ...options }).format(value)

export const percent = (/** @type {number} */ share) => number(share, { style: 'percent', maximumFractionDigits: 0 })

/** Minutes and seconds of a duration. */
export function duration(/** @type {number} */ seconds) {
  const whole = Math.round(seconds), two = { minimumIntegerDigits: 2 }
  return `${number(Math.floor(whole / 60))}:${number(whole % 60, two)}`
}

/**
 * A name as the language writes it.
 * @param {'styles' | 'artists' | 'licenses'} kind
 * @param {string} name
 * @returns {string | undefined}
 */
function localName(kind, name) {
  const names = /** @type {any} */ (STRINGS[language])[kind] ?? {}
  return Object.hasOwn(names, name) ? names[name] : undefined
}

/**
 * The title of a style as the language writes it; `inStore` is the name of a style in its store, and `origin` that of the
 * store where another style has the same title.
 * @param {{ name: string, title: string, inStore?: string, origin?: string }} style
 */
export function titleOf({ name, title, inStore = name, origin }) {
  const local = localName('styles', inStore) ?? title
  return origin ? `${local} (${origin})` : local
}

/** The artist of a style as the language writes it; empty where nobody named one. */
export const artistOf = (/** @type {{ artist: string }} */ { artist }) =>
  artist === 'unknown' ? '' : localName('artists', artist) ?? artist

/** The license of a style as the language writes it. */
export const licenseOf = (/** @type {{ license: string }} */ { license }) => localName('licenses', license) ?? license

/** Writes the texts of the language into the document. */
export function translate() {
  document.documentElement.lang = language
  document.documentElement.dir = t('direction')
  document.title = t('app.name')
  for (const element of document.querySelectorAll('[data-i18n]')) element.textContent = t(keyOf(element, 'i18n'))
  for (const element of document.querySelectorAll('[data-i18n-label]'))
    element.setAttribute('aria-label', t(keyOf(element, 'i18nLabel')))
  for (const element of document.querySelectorAll('[data-i18n-title]'))
    element.setAttribute('title', t(keyOf(element, 'i18nTitle')))
}

/**
 * @param {Element} element
 * @param {string} name
 */
const keyOf = (element, name) => /** @type {HTMLElement} */ (element).dataset[name] ?? ''

/**
 * Translates the page now and whenever the user chooses another language in `select`.
 * @param {HTMLSelectElement} select
 * @param {() => void} changed
 */
export function startLanguages(select, changed) {
  language = preferred()
  for (const [tag, strings] of Object.entries(STRINGS)) {
    const option = new Option(strings.language, tag, false, tag === language)
    option.lang = tag
    select.add(option)
  }
  translate()
  select.onchange = () => {
    language = /** @type {keyof typeof STRINGS} */ (select.value)
    try {
      localStorage.setItem(KEY, language)
    } catch {
      // site data are blocked: the choice holds until the page is closed
    }
    translate()
    changed()
  }
}
