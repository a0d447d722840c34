// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The engine's thread. engine.mjs sends { id, task, ... } and gets { id, result } or { id, error }, and { id, progress }
// before; { cancel: id } ends a task at its next tile. Tasks run one after the other.
/** @import { Style } from './types.mjs' */
/** @import { Work } from './stylizer.mjs' */
import { Runtimes } from './runtimes.mjs'
import { aborted, reasonOf } from './failure.mjs'
import { FrameStylizer } from './frames.mjs'
import { LastResult } from './last_result.mjs'
import { Networks } from './networks.mjs'

/** @type {Networks} */
let networks
/** @type {Runtimes} */
let runtimes
const canceled = new Set(), last = new LastResult(), frames = new FrameStylizer()

/** @type {Record<string, (message: any, work: Work) => Promise<any>>} */
const tasks = {
  async start({ base, prefer }) {
    runtimes = new Runtimes(new URL('runtime/', base))
    networks = new Networks(new URL(base), runtimes)
    await runtimes.start(prefer, async () => {
      networks.forget()
      postMessage({ info: (await runtimes.of()).info })
    })
    return (await runtimes.of()).info
  },
  load: ({ style }) => retrying(() => networks.load(style)),
  stylize: (message, work) => timed(message.style, () => last.stylize(message, work)),
  async frame(message, work) {
    const photo = frames.read(message)
    return timed(message.style, () => frames.stylize(photo, message, work))
  },
}

/**
 * @param {Style} style
 * @param {() => Promise<ImageData | ImageBitmap>} work
 */
async function timed(style, work) {
  const start = performance.now(), image = await retrying(work), { info } = await runtimes.of(style)
  return { image, milliseconds: performance.now() - start, ...info }
}

/**
 * Repeats work on the CPU if the GPU fails.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function retrying(work) {
  try {
    return await work()
  } catch (error) {
    const { name, code, cause } = /** @type {any} */ (error), { info } = await runtimes.of()
    if (info.reason !== null || name === 'AbortError' || code === 'engine.style') throw error
    runtimes.leaveGpu(reasonOf(cause ?? error))
    return work()
  }
}

/** @type {Promise<void>} */
let queue = Promise.resolve()
/** @param {any} data a message of engine.mjs */
export function receive(data) {
  if ('cancel' in data) canceled.add(data.cancel)
  else queue = queue.then(() => serve(data))
}

/** @param {any} message */
async function serve({ id, task, ...message }) {
  try {
    if (task === 'stylize') last.read(message)  // later requests rely on it, even if this one is canceled
    if (canceled.has(id)) {
      message.source?.close?.()
      throw aborted()
    }
    const result = await tasks[task](message, {
      networks,
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
