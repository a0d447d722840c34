// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The styles of a store: one file for several styles, each of which is an entry of the strip, and blends of two of them.
import { percent, t, titleOf } from './i18n.mjs'
import { at } from './messages.mjs'

const select = /** @type {HTMLSelectElement} */ (at('blend-style')), slider = /** @type {HTMLInputElement} */ (at('blend'))

/** @typedef {{ other: string, share: number }} Blend `other` is the name of a style of the same store */

/**
 * The entries of the strip: a store becomes one for each of its styles, under a name and a title that no other entry has.
 * @param {any[]} styles of app.json
 * @returns {any[]}
 */
export function entriesOf(styles) {
  const names = new Set(styles.filter(({ store }) => !store).map(({ name }) => name))
  const titles = styles.flatMap(({ store, title }) => store?.map((/** @type {any} */ one) => one.title) ?? [title])
  const isTwice = (/** @type {string} */ title) => titles.indexOf(title) !== titles.lastIndexOf(title)
  return styles.flatMap(style => style.store?.map((/** @type {any} */ one) => {
    const name = names.has(one.name) ? `${style.name}-${one.name}` : one.name
    names.add(name)
    const origin = isTwice(one.title) ? style.title : undefined
    return { ...style, ...one, name, inStore: one.name, origin, weights: { [one.name]: 1 } }
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
  const tab = at('tab-blend')
  tab.hidden = !others.length
  if (tab.hidden && tab.getAttribute('aria-selected') === 'true') at('tab-strength').click()
  if (!others.some((/** @type {any} */ { name }) => name === blend.other)) blend.other = others[0]?.name ?? ''
  select.replaceChildren(...others.map((/** @type {any} */ one) => new Option(titleOf(one), one.name, false, one.name === blend.other)))
  label(style, blend)
}

/** Shows the shares of both styles, and says them with their names. */
function label(/** @type {any} */ style, /** @type {Blend} */ blend) {
  const shares = { own: percent(1 - blend.share), share: percent(blend.share) }
  const names = { title: style ? titleOf(style) : '', other: select.selectedOptions[0]?.text ?? '' }
  at('blend-value').textContent = t('blend.shares', shares)
  slider.setAttribute('aria-valuetext', t('blend.text', { ...shares, ...names }))
}

/**
 * Connects the controls of blends.
 * @param {{ style: any, blend: Blend }} look
 * @param {() => void} repaint
 */
export function startBlend(look, repaint) {
  select.onchange = () => {
    look.blend.other = select.value
    label(look.style, look.blend)
    repaint()
  }
  slider.oninput = () => {
    look.blend.share = Number(slider.value) / 100
    label(look.style, look.blend)
  }
  slider.onchange = repaint  // when the finger is lifted: each blend runs the network
}
