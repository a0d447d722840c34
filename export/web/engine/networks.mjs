// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Downloads the files of styles, once each, and keeps the networks that were used last.
/** @import { Backend, Model, Style, StyleFile } from './types.mjs' */
/** @import { Runtimes } from './runtimes.mjs' */
import { failure } from './failure.mjs'

const MAX_LOADED = 4

export class Networks {
  /** @type {Map<string, Promise<Model>>} by URL, the last used one last */
  #models = new Map()
  /** @type {Map<string, ArrayBuffer>} by URL; a style has some 100 kB */
  #files = new Map()

  /**
   * @param {URL} base
   * @param {Runtimes} runtimes
   */
  constructor(base, runtimes) {
    this.base = base
    this.runtimes = runtimes
  }

  /**
   * Downloads and opens a style.
   * @param {Style} style
   * @returns {Promise<number>} bytes that were downloaded
   */
  async load(style) {
    const { backend } = await this.runtimes.of(style), { downloaded } = await this.#download(fileOf(style, backend))
    await this.of(style)
    return downloaded
  }

  /**
   * @param {Style} style
   * @returns {Promise<Model>}
   */
  async of(style) {
    const { backend } = await this.runtimes.of(style)
    return this.#open(fileOf(style, backend), backend)
  }

  /**
   * @param {StyleFile} file of a tile, or of its statistics
   * @returns {Promise<Model>}
   */
  async forTiles(file) {
    return this.#open(file, await this.runtimes.cpu())
  }

  /** Forgets the networks, whose GPU is lost. */
  forget() {
    this.#models.clear()
  }

  /**
   * @param {StyleFile} file
   * @param {Backend} backend
   */
  async #open(file, backend) {
    const url = new URL(file.url, this.base).href
    let model = this.#models.get(url)
    this.#models.delete(url)
    if (!model) {
      if (this.#models.size >= MAX_LOADED) await this.#releaseOldest()
      model = this.#download(file).then(({ bytes }) => backend.open(bytes)).catch(error => {
        this.#models.delete(url)
        if (error.code || backend.format === 'tflite') throw error
        throw failure('engine.style', `${file.url} is not a model that this page can run (${error.message ?? error})`)
      })
    }
    this.#models.set(url, model)
    return model
  }

  /**
   * @param {StyleFile} file
   * @returns {Promise<{ bytes: ArrayBuffer, downloaded: number }>}
   */
  async #download(file) {
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

  async #releaseOldest() {
    const [[url, model]] = this.#models
    this.#models.delete(url)
    await (await model).release()
  }
}

/**
 * @param {Style} style
 * @param {Backend} backend
 */
const fileOf = (style, backend) => backend.format === 'tflite' && style.files.tflite ? style.files.tflite : style.files.onnx
