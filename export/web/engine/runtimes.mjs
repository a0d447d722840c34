// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Finds what runs the networks, by trying: the GPU, else the CPU.
/** @import { Backend, Info, Reason, Style } from './types.mjs' */
import { reasonOf } from './failure.mjs'
import { createGpuBackend } from './gpu_backend.mjs'
import { createWasmBackend } from './ort_backend.mjs'

export class Runtimes {
  /** @type {Backend | null} */
  #gpu = null
  /** @type {Promise<Backend> | null} */
  #cpu = null
  /** @type {Reason} */
  #reason = { code: 'gpu.unwanted', values: {} }
  #onLost = () => {}

  /** @param {URL} folder of the runtimes' files */
  constructor(folder) {
    this.folder = folder
  }

  /**
   * @param {'auto' | 'webgpu' | 'wasm'} prefer 'webgpu' takes a GPU in software, too
   * @param {() => void} onLost called if the GPU stops working later
   */
  async start(prefer, onLost) {
    this.#onLost = onLost
    if (prefer === 'wasm') return void await this.#startCpu()
    try {
      const gpu = this.#gpu = await createGpuBackend(this.folder, prefer === 'webgpu')
      gpu.lost.then(reason => this.leaveGpu(reason))
    } catch (error) {
      this.#reason = reasonOf(error)
      await this.#startCpu()
    }
  }

  /**
   * What runs a style; without one, what runs most styles.
   * @param {Style} [style]
   * @returns {Promise<{ backend: Backend, info: Info }>}
   */
  async of(style) {
    const fits = !style || style.files.tflite, backend = this.#gpu && fits ? this.#gpu : await this.#startCpu()
    const why = this.#gpu ? { code: 'gpu.style', values: {} } : this.#reason
    const reason = backend === this.#gpu ? null : why
    return { backend, info: { runtime: backend.name, threads: backend.threads, reason } }
  }

  /** @returns {Promise<Backend>} the CPU, which alone runs tiles */
  cpu() {
    return this.#startCpu()
  }

  /**
   * Runs everything on the CPU from now on.
   * @param {Reason} reason
   */
  leaveGpu(reason) {
    if (!this.#gpu) return
    this.#gpu = null
    this.#reason = reason
    this.#onLost()
  }

  #startCpu() {
    return this.#cpu ??= createWasmBackend(this.folder).catch(error => {
      this.#cpu = null  // the next try may find the network again
      throw error
    })
  }
}
