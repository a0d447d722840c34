// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The page's side of the engine: it talks to worker.mjs, where the networks run.
/** @import { Info, Request, Style } from './types.mjs' */
import { aborted, failure } from './failure.mjs'

const SMOOTHING = 0.7  // of frames; docs/stylize.md recommends it for videos

/** @typedef {Info & { image: ImageData, milliseconds: number }} Result */
/** @typedef {Info & { image: ImageBitmap, milliseconds: number }} Frame */
/** @typedef {Request & { previous?: Frame | null, smoothing?: number }} FrameRequest */

/**
 * Starts the engine: on the GPU where it works, else on the CPU.
 * @param {{ base?: URL | string, prefer?: 'auto' | 'webgpu' | 'wasm' }} options `base` is the folder of app.json
 * @returns {Promise<Engine>}
 */
export async function createEngine({ base = document.baseURI, prefer = 'auto' } = {}) {
  const engine = new Engine(new URL(base, document.baseURI), prefer)
  await engine.started
  return engine
}

class Engine {
  /** @type {Info} */
  info = { runtime: '', threads: 0, reason: null }
  /** @type {Worker | null} */
  #worker = null
  /** @type {Map<number, { resolve: (value: any) => void, reject: (reason: unknown) => void, onProgress?: Function }>} */
  #pending = new Map()
  /** @type {WeakMap<object, number>} */
  #sources = new WeakMap()
  #nextId = 1
  #sent = 0  // the key of the photo that the worker has

  /**
   * @param {URL} base
   * @param {'auto' | 'webgpu' | 'wasm'} prefer
   */
  constructor(base, prefer) {
    this.base = base
    this.started = this.#start(prefer)
  }

  /**
   * Downloads a style, unless it has been, and prepares its network.
   * @param {Style} style
   * @returns {Promise<number>} bytes that were downloaded
   */
  load(style) {
    return this.#request('load', { style })
  }

  /**
   * Stylizes a photo. `size` is the short side of a quick preview, which is returned that small.
   * @param {ImageBitmap | ImageData} source is not changed
   * @param {Request} request
   * @returns {Promise<Result>}
   */
  async stylize(source, { signal, onProgress, ...request }) {
    await this.started
    const known = this.#sources.get(source), sourceKey = known ?? this.#nextId++
    this.#sources.set(source, sourceKey)
    const copy = sourceKey === this.#sent ? null : source instanceof ImageData ? source : await createImageBitmap(source)
    if (signal?.aborted) throw aborted()
    this.#sent = sourceKey
    return this.#post('stylize', { ...request, mask: pixelsOf(request.mask), sourceKey, source: copy }, {
      signal, onProgress, transfer: copy instanceof ImageBitmap ? [copy] : [],
    })
  }

  /**
   * Stylizes a frame of a camera or a video, and closes it.
   * @param {ImageBitmap | VideoFrame} source
   * @param {FrameRequest} request `previous` is the result for the previous frame, null for the first one
   * @returns {Promise<Frame>}
   */
  async frame(source, { signal, onProgress, previous = null, smoothing = SMOOTHING, ...request }) {
    const message = { ...request, mask: pixelsOf(request.mask), source, first: !previous, smoothing }
    return this.#request('frame', message, { signal, onProgress, transfer: [source] })
  }

  close() {
    this.#stop(failure('engine.closed', 'The engine is closed.'))
  }

  /** @param {'auto' | 'webgpu' | 'wasm'} prefer */
  async #start(prefer) {
    const worker = this.#worker = new Worker(new URL('worker.js', import.meta.url))
    worker.onmessage = ({ data }) => this.#receive(data)
    worker.onerror = event => {
      event.preventDefault()
      const started = Boolean(this.info.runtime), code = started ? 'engine.memory' : 'engine.runtime'
      this.#stop(failure(code, `The browser stopped the network (${event.message || 'no memory'}).`))
      if (started) this.#restart()
    }
    this.#sent = 0
    this.info = await this.#post('start', { base: this.base.href, prefer })
  }

  /** @param {any} data */
  #receive(data) {
    if (data.info) this.info = data.info
    const task = this.#pending.get(data.id)
    if (!task) return
    if (data.progress) return task.onProgress?.(data.progress)
    this.#pending.delete(data.id)
    if (!data.error) return task.resolve(data.result)
    const { name, message, code } = data.error
    task.reject(name === 'AbortError' ? aborted() : code ? failure(code, message) : new Error(message))
    if (code !== 'engine.memory') return
    this.#stop(failure(code, message))  // after it, the state of the runtime's memory is undefined
    this.#restart()
  }

  #restart() {
    this.info = { runtime: '', threads: 0, reason: null }
    this.started = this.#start('wasm')
    this.started.catch(() => {})  // who asks for something next gets the error
  }

  /**
   * @param {string} task
   * @param {object} message
   * @param {{ signal?: AbortSignal, onProgress?: Function, transfer?: Transferable[] }} [options]
   */
  async #request(task, message, options) {
    await this.started
    return this.#post(task, message, options)
  }

  /**
   * @param {string} task
   * @param {object} message
   * @param {{ signal?: AbortSignal, onProgress?: Function, transfer?: Transferable[] }} [options]
   * @returns {Promise<any>}
   */
  #post(task, message, { signal, onProgress, transfer = [] } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(aborted())
      if (!this.#worker) return reject(failure('engine.closed', 'The engine is closed.'))
      const id = this.#nextId++, cancel = () => {
        this.#worker?.postMessage({ cancel: id })
        if (this.#pending.delete(id)) reject(aborted())
      }
      const settled = (/** @type {Function} */ settle) => (/** @type {unknown} */ value) => {
        signal?.removeEventListener('abort', cancel)  // a video has one signal for all frames
        settle(value)
      }
      this.#pending.set(id, { resolve: settled(resolve), reject: settled(reject), onProgress })
      this.#worker.postMessage({ id, task, ...message }, transfer)
      signal?.addEventListener('abort', cancel, { once: true })
    })
  }

  /** @param {Error} error */
  #stop(error) {
    this.#worker?.terminate()
    this.#worker = null
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }
}

/** @param {ImageData | import('./types.mjs').Pixels | null | undefined} mask */
const pixelsOf = mask => mask ? { data: mask.data, width: mask.width, height: mask.height } : null
