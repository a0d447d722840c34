// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Chooses the size of the viewfinder by how long its frames take.

const TARGET = 15  // frames a second
const SIDES = [96, 128, 160, 192, 256, 320, 384, 512, 640]  // px; the short sides of the viewfinder
const FIRST = 192
const PATIENCE = 8, HASTE = 4  // frames of one size before another is tried; the fewer where a frame takes twice its time
const LATE = 1.1, SPARE = 0.6  // of the time of a frame: with more, a smaller size is tried, with less a larger one
const INERTIA = 4  // frames that a moving average spans

export class Pace {
  #index = SIDES.indexOf(FIRST)
  #frames = 0
  #period = 0  // ms, a moving average
  #last = performance.now()

  get side() {
    return SIDES[this.#index]
  }

  /**
   * Counts a frame.
   * @param {number} now ms
   * @param {number} [cost] ms that the network would take at this size, where it ran on a smaller copy for broad strokes:
   *   a larger size would otherwise make the strokes fine again
   * @returns {number} frames a second
   */
  frame(now, cost = 0) {
    const elapsed = now - this.#last
    this.#last = now
    if (++this.#frames <= 2) return 1000 / (this.#period = elapsed)  // a new size is prepared first
    this.#period += (elapsed - this.#period) / INERTIA
    const budget = 1000 / TARGET
    if (this.#frames >= (this.#period > 2 * budget ? HASTE : PATIENCE)) {
      if (this.#period > LATE * budget) this.#change(-Math.max(1, Math.round(Math.log2(this.#period / budget))))
      else if (Math.max(this.#period, cost) < SPARE * budget) this.#change(1)
    }
    return 1000 / this.#period
  }

  /** @param {number} steps */
  #change(steps) {
    const index = Math.min(Math.max(this.#index + steps, 0), SIDES.length - 1)
    if (index !== this.#index) this.#frames = 0
    this.#index = index
  }
}
