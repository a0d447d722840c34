// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The sheet that saves, shares and copies the picture.
import { t } from './i18n.mjs'
import { announce, at, note, problem, sentence, showError } from './messages.mjs'

const QUALITY = 0.92  // of JPEG files
const RELEASE = 60_000  // ms after which the browser may forget a file that was saved

const sheet = /** @type {HTMLDialogElement} */ (at('save-sheet'))
const choice = (/** @type {string} */ name) =>
  /** @type {HTMLInputElement} */ (sheet.querySelector(`input[name=${name}]:checked`)).value

/** @type {AbortController | null} */
let running = null
/** A picture that the browser did not share, and what was chosen. @type {{ chosen: string, file: File } | null} */
let unshared = null

/**
 * Gives a file to the user.
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), RELEASE)
}

/** Whether the browser shares files of this type. */
export const canShare = (/** @type {string} */ type) => {
  const files = [new File(['x'], `x.${type.split('/')[1]}`, { type })]
  return Boolean(navigator.canShare?.({ files }))
}

/** A name of a file: that of the photo and the style. */
export const nameOf = (/** @type {string} */ stem, /** @type {string} */ style, /** @type {string} */ suffix) =>
  `${[stem, style].filter(Boolean).join('-').replace(/[^\p{L}\p{M}\p{N}_-]+/gu, '-')}.${suffix}`

/**
 * The picture as a file.
 * @param {{ picture: any, paint: (full: boolean, options: object) => Promise<ImageData> }} source
 * @param {'jpeg' | 'png'} format
 * @param {boolean} full
 * @param {AbortSignal} signal
 */
async function encode({ picture, paint }, format, full, signal) {
  const progress = /** @type {HTMLProgressElement} */ (at('save-progress'))
  const onProgress = (/** @type {{ done: number, total: number }} */ { done, total }) => { progress.value = done / total }
  const image = await paint(full, { signal, onProgress })
  const canvas = new OffscreenCanvas(image.width, image.height)
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'))
  context.putImageData(image, 0, 0)
  const blob = await canvas.convertToBlob({ type: `image/${format}`, quality: QUALITY }).catch(() => {
    throw problem('engine.memory')
  })
  Object.assign(canvas, { width: 1, height: 1 })  // frees its memory now
  if (format !== 'jpeg' || !picture.file) return blob
  const { keepExif } = await import('./engine/exif.mjs')
  return keepExif(picture.file, blob)
}

/** Runs what a button does: progress while it lasts, a sentence where it fails, and the sheet closes where it does not. */
async function act(/** @type {(signal: AbortSignal) => Promise<string>} */ action) {
  running?.abort()
  const { signal } = running = new AbortController()
  showError(null, 'save-error')
  busy(true)
  try {
    const done = await action(signal)
    sheet.close()
    note(done, 4)
    announce(done)
  } catch (error) {
    const refused = /** @type {any} */ (error)?.name === 'NotAllowedError'
    const reason = /** @type {any} */ (error)?.message
    if (!signal.aborted) showError(refused ? t('save.refused', { reason }) : sentence(error), 'save-error')
  } finally {
    busy(false)
  }
}

function busy(/** @type {boolean} */ on) {
  const progress = /** @type {HTMLProgressElement} */ (at('save-progress'))
  progress.hidden = !on
  progress.value = 0
  for (const id of ['save-file', 'save-share', 'save-copy']) /** @type {HTMLButtonElement} */ (at(id)).disabled = on
}

/**
 * Connects the sheet.
 * @param {() => { picture: any, style: any, shown: { width: number, height: number },
 *   paint: (full: boolean, options: object) => Promise<ImageData> }} current
 */
export function startSaving(current) {
  const encoded = async (/** @type {AbortSignal} */ signal, /** @type {any} */ format = choice('format')) => {
    const source = current(), blob = await encode(source, format, choice('size') === 'full', signal)
    if (signal.aborted) throw new DOMException('', 'AbortError')
    return new File([blob], nameOf(source.picture.stem, source.style?.name ?? '', format === 'jpeg' ? 'jpg' : 'png'), { type: blob.type })
  }
  at('save').onclick = () => {
    const { picture, shown } = current(), { width, height } = picture.bitmap
    at('full-size').textContent = t('size', { width, height })
    at('shown-size').textContent = t('size', shown)
    showError(null, 'save-error')
    sheet.showModal()
  }
  at('save-file').onclick = () => act(async signal => {
    const file = await encoded(signal)
    download(file, file.name)
    return t('save.saved', { name: file.name })
  })
  at('save-share').hidden = !canShare('image/jpeg')
  at('save-share').onclick = () => act(async signal => {
    const chosen = `${choice('format')} ${choice('size')}`, file = unshared?.chosen === chosen ? unshared.file : await encoded(signal)
    unshared = { chosen, file }
    await navigator.share({ files: [file] }).catch(error => {
      throw error.name === 'NotAllowedError' ? problem('save.again') : error  // a tap counts for some seconds alone
    })
    return ''
  })
  at('save-copy').hidden = typeof ClipboardItem === 'undefined' || !navigator.clipboard?.write
  at('save-copy').onclick = () => act(async signal => {
    // The clipboard takes PNG; a promise, because Safari allows it only at the time of the click.
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': encoded(signal, 'png') })])
    return t('save.copied')
  })
  at('save-close').onclick = () => sheet.close()
  sheet.onclose = () => {
    running?.abort()
    unshared = null
  }
}
