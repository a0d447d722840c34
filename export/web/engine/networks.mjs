// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Downloads the files of styles, once each, and keeps the networks that were used last.
/** @import { Backend, Model, StyleFile } from './types.mjs' */
import { failure } from './failure.mjs'

const MAX_LOADED = 4

export class Networks {
  /** @type {Map<string, Promise<Model>>} by URL, the last used one last */
  #models = new Map()
  /** @type {Map<string, ArrayBuffer>} by URL; a style has some 100 kB */
  #files = new Map()

  /**
   * @param {URL} base
   * @param {Backend} backend
   */
  constructor(base, backend) {
    this.base = base
    this.backend = backend
  }

  /**
   * @param {StyleFile} file
   * @returns {Promise<{ bytes: ArrayBuffer, downloaded: number }>}
   */
  async download(file) {
    const url = new URL(file.url, this.base).href, known = this.#files.get(url)
    if (known) return { bytes: known, downloaded: 0 }
    const response = await fetch(url).catch(() => null)
    if (!response?.ok) throw failure('engine.style', `${file.url} could not be read (${response?.status ?? 'no answer'})`)
    const bytes = await response.arrayBuffer()
    if (file.bytes && bytes.byteLength !== file.bytes)
      throw failure('engine.style', `${file.url} has ${bytes.byteLength} bytes instead of ${file.bytes}`)
    this.#files.set(url, bytes)
    return { bytes, downloaded: bytes.byteLength }
  }

  /**
   * @param {StyleFile} file
   * @returns {Promise<Model>}
   */
  async open(file) {
    const url = new URL(file.url, this.base).href
    let model = this.#models.get(url)
    this.#models.delete(url)
    if (!model) {
      if (this.#models.size >= MAX_LOADED) await this.#forget()
      model = this.download(file).then(({ bytes }) => this.backend.open(bytes)).catch(error => {
        this.#models.delete(url)
        throw error.code ? error : failure('engine.style', `${file.url} is not a model that this page can run (${error.message ?? error})`)
      })
    }
    this.#models.set(url, model)
    return model
  }

  async #forget() {
    const [[url, model]] = this.#models
    this.#models.delete(url)
    await (await model).release()
  }

  async close() {
    while (this.#models.size) await this.#forget()
  }
}
