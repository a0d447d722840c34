// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The styles of a store: one file for several styles, each of which is an entry of the strip, and blends of two of them.
import { percent, t, titleOf } from './i18n.mjs'
import { at } from './messages.mjs'

/** @typedef {{ other: string, share: number }} Blend `other` is the name of a style of the same store */

/**
 * The entries of the strip: a store becomes one for each of its styles, under a name that no other entry has.
 * @param {any[]} styles of app.json
 * @returns {any[]}
 */
export function entriesOf(styles) {
  const names = new Set(styles.filter(({ store }) => !store).map(({ name }) => name))
  return styles.flatMap(style => style.store?.map((/** @type {any} */ one) => {
    const name = names.has(one.name) ? `${style.name}-${one.name}` : one.name
    names.add(name)
    return { ...style, ...one, name, inStore: one.name, weights: { [one.name]: 1 } }
  }) ?? [style])
}

/**
 * What the engine paints: the style, or its blend with another one of its store.
 * @param {any} style
 * @param {Blend} blend
 */
export function blended(style, { other, share }) {
  if (!style?.store || !other || other === style.inStore || !share) return style
  return { ...style, weights: { [style.inStore]: 1 - share, [other]: share } }
}

/**
 * Shows the tab for blends where the style is one of a store, and lists the others.
 * @param {any} style
 * @param {Blend} blend
 */
export function offerBlend(style, blend) {
  const others = style?.store?.filter((/** @type {any} */ { name }) => name !== style.inStore) ?? []
  const select = /** @type {HTMLSelectElement} */ (at('blend-style'))
  const tab = at('tab-blend')
  tab.hidden = !others.length
  if (tab.hidden && tab.getAttribute('aria-selected') === 'true') at('tab-strength').click()
  if (!others.some((/** @type {any} */ { name }) => name === blend.other)) blend.other = others[0]?.name ?? ''
  select.replaceChildren(...others.map((/** @type {any} */ one) => new Option(titleOf(one), one.name, false, one.name === blend.other)))
}

/**
 * Connects the controls of blends.
 * @param {Blend} blend
 * @param {() => void} repaint
 */
export function startBlend(blend, repaint) {
  const select = /** @type {HTMLSelectElement} */ (at('blend-style')), share = /** @type {HTMLInputElement} */ (at('blend'))
  const label = () => share.setAttribute('aria-valuetext', t('blend.share', { share: percent(blend.share) }))
  select.onchange = () => {
    blend.other = select.value
    repaint()
  }
  share.oninput = () => {
    blend.share = Number(share.value) / 100
    label()
  }
  share.onchange = repaint  // when the finger is lifted: each blend runs the network
  label()
  document.addEventListener('change', event => event.target === at('language') && label())
}
