// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The mask by keyboard: the arrow keys move a brush over the picture, and Space lowers and lifts it.
import { percent, t } from './i18n.mjs'
import { announce, at, note } from './messages.mjs'

const STEP = 0.02, FAR = 0.1  // shares of a side that a key moves the brush, and with Shift
/** @type {Record<string, [number, number]>} */
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

const frame = at('frame'), cursor = at('brush-cursor')
const size = /** @type {HTMLInputElement} */ (at('brush'))

let x = 0.5, y = 0.5, down = false

/** Shows where the brush is, and how large: its size is a share of the shorter side. */
function show() {
  const { clientWidth, clientHeight } = frame, side = Number(size.value) / 100 * Math.min(clientWidth, clientHeight)
  Object.assign(cursor.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: `${side}px`, height: `${side}px` })
  cursor.classList.toggle('down', down)
}

const where = () => t('mask.at', { x: percent(x), y: percent(y) })

function lift() {
  down = false
  show()
}

/**
 * Connects the keys.
 * @param {{ isOn: () => boolean, begin: () => void, drawTo: (x: number, y: number) => void, brings: () => string }} mask
 *   `brings` names what the brush brings out
 */
export function startMaskKeys({ isOn, begin, drawTo, brings }) {
  frame.addEventListener('keydown', event => {
    if (!isOn() || event.target !== frame || event.ctrlKey || event.metaKey || event.altKey) return
    const move = KEYS[event.key]
    if (move) {
      const step = event.shiftKey ? FAR : STEP, clip = (/** @type {number} */ value) => Math.min(1, Math.max(0, value))
      x = clip(x + move[0] * step)
      y = clip(y + move[1] * step)
      if (down) drawTo(x, y)
      announce(where())
    } else if (event.key === ' ' && !event.repeat) {
      down = !down
      if (down) begin(), drawTo(x, y)
      announce(down ? `${t('mask.down', { brush: brings() })} ${where()}` : t('mask.up'))
    } else if (event.key !== ' ') return
    event.preventDefault()
    show()
  })
  frame.addEventListener('focus', () => {
    show()
    if (frame.matches(':focus-visible')) note(t('mask.keys'), 6)
  })
  frame.addEventListener('blur', lift)
  size.addEventListener('input', show)
}
