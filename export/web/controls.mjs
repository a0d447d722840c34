// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The adjustments below the picture: tabs for strength, strokes and mask, switches for colors and comparing.
import { percent, t } from './i18n.mjs'
import { announce, at, note } from './messages.mjs'

const TABS = ['strength', 'strokes', 'mask', 'blend']
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (at(id))

/**
 * Connects the controls with the look of the picture.
 * @param {{ look: any, adjust: () => void, repaint: () => void, compare: (on: boolean) => void, setMasking: (on: boolean) => void }} page
 */
export function startControls({ look, adjust, repaint, compare, setMasking }) {
  const label = () => {
    at('strength-value').textContent = percent(look.strength)
    at('strokes-value').textContent = t(`strokes.${look.strokes}`)
    input('strength').setAttribute('aria-valuetext', percent(look.strength))
    input('strokes').setAttribute('aria-valuetext', t(`strokes.${look.strokes}`))
  }
  const select = (/** @type {string} */ chosen) => {
    for (const name of TABS) {
      const tab = at(`tab-${name}`), on = name === chosen
      tab.setAttribute('aria-selected', String(on))
      tab.tabIndex = on ? 0 : -1
      at(`adjust-${name}`).hidden = !on
    }
    setMasking(chosen === 'mask')
    if (chosen === 'mask') {
      toggle('compare', false)
      compare(false)
      note(t('mask.hint'), 4)
      announce(t('mask.hint'))
    }
  }
  for (const name of TABS) at(`tab-${name}`).onclick = () => select(name)
  at('tools').onkeydown = event => moveTab(event, select)
  input('strength').oninput = () => {
    look.strength = Number(input('strength').value) / 100
    label()
    adjust()
  }
  input('strokes').oninput = () => {
    look.strokes = Number(input('strokes').value)
    label()
    repaint()
  }
  at('colors').onclick = () => {
    look.keepColors = toggle('colors')
    announce(t(look.keepColors ? 'colors.on' : 'colors.off'))
    adjust()
  }
  at('compare').onclick = () => {
    const on = toggle('compare')
    if (on) select('strength')
    compare(on)
    if (on) at('split').focus({ preventScroll: true })
  }
  label()
  document.addEventListener('change', event => event.target === at('language') && label())
}

/**
 * Switches a button that is pressed or not; returns whether it is.
 * @param {string} id
 * @param {boolean} [on]
 */
function toggle(id, on = at(id).getAttribute('aria-pressed') !== 'true') {
  at(id).setAttribute('aria-pressed', String(on))
  return on
}

/**
 * Arrow keys move between the tabs.
 * @param {KeyboardEvent} event
 * @param {(name: string) => void} select
 */
function moveTab(event, select) {
  const now = TABS.findIndex(name => at(`tab-${name}`) === event.target)
  const sign = document.documentElement.dir === 'rtl' ? -1 : 1
  const step = event.key === 'ArrowRight' ? sign : event.key === 'ArrowLeft' ? -sign : 0
  if (now < 0 || !step) return
  event.preventDefault()
  const shown = TABS.filter(name => !at(`tab-${name}`).hidden), place = shown.indexOf(TABS[now])
  const next = shown[(place + step + shown.length) % shown.length]
  select(next)
  at(`tab-${next}`).focus()
}
