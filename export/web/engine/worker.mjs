// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The engine's thread. engine.mjs sends { id, task, ... } and gets { id, result } or { id, error }, and { id, progress }
// before; { cancel: id } ends a task at its next tile. Tasks run one after the other.
/** @import { Info, Pixels, Request } from './types.mjs' */
import { chooseBackend } from './choose.mjs'
import { aborted } from './failure.mjs'
import { FrameStylizer } from './frames.mjs'
import { LastResult } from './last_result.mjs'
import { Networks } from './networks.mjs'

/** @type {Networks} */
let networks
/** @type {Info} */
let info
/** @type {URL} */
let base
const canceled = new Set(), last = new LastResult(), frames = new FrameStylizer()

/** @type {Record<string, (message: any, work: import('./stylizer.mjs').Work) => Promise<any>>} */
const tasks = {
  async start(message) {
    base = new URL(message.base)
    const chosen = await chooseBackend(new URL('runtime/', base), message.prefer)
    info = chosen.info
    networks = new Networks(base, chosen.backend)
    chosen.backend.lost.then(reason => leaveGpu(reason))
    return info
  },
  async load({ style }) {
    const { downloaded } = await networks.download(style.files.onnx)
    await networks.open(style.files.onnx)
    return downloaded
  },
  async stylize(message, work) {
    const start = performance.now(), image = await retrying(() => last.stylize(message, work))
    return { image, milliseconds: performance.now() - start, runtime: info.runtime }
  },
  async frame(message, work) {
    const start = performance.now(), photo = frames.read(message)
    const image = await retrying(() => frames.stylize(photo, message, work))
    return { image, milliseconds: performance.now() - start, runtime: info.runtime }
  },
}

/**
 * Repeats work on the CPU if the GPU fails.
 * @template T
 * @param {() => Promise<T>} work
 */
async function retrying(work) {
  try {
    return await work()
  } catch (error) {
    if (info.reason === null && /** @type {any} */ (error).name !== 'AbortError') {
      await leaveGpu(String(/** @type {any} */ (error).message ?? error))
      return work()
    }
    throw error
  }
}

/** @param {string} reason */
async function leaveGpu(reason) {
  if (info.reason !== null) return  // it is not the GPU that runs
  const chosen = await chooseBackend(new URL('runtime/', base), 'wasm')
  info = { ...chosen.info, reason }
  networks = new Networks(base, chosen.backend)
  postMessage({ info })
}

/** @type {Promise<void>} */
let queue = Promise.resolve()
onmessage = ({ data }) => {
  if ('cancel' in data) canceled.add(data.cancel)
  else queue = queue.then(() => serve(data))
}

/** @param {any} message */
async function serve({ id, task, ...message }) {
  try {
    if (task === 'stylize') last.read(message)  // later requests rely on it, even if this one is canceled
    if (canceled.has(id)) throw aborted()
    const result = await tasks[task](message, {
      get networks() { return networks },
      canceled: () => canceled.has(id),
      report: (done, total) => postMessage({ id, progress: { done, total } }),
    })
    const image = result?.image
    postMessage({ id, result }, { transfer: image ? [image instanceof ImageData ? image.data.buffer : image] : [] })
  } catch (error) {
    const { name, message, code } = /** @type {any} */ (error)
    postMessage({ id, error: { name, message: message ?? String(error), code } })
  } finally {
    canceled.delete(id)
  }
}
