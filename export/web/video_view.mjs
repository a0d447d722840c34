// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The sheet that paints a video: progress, cancel, and the result to see, save and share.
import { duration, percent, t, titleOf } from './i18n.mjs'
import { announce, at, problem, sentence, showError } from './messages.mjs'
import { canShare, download, nameOf } from './save.mjs'

const sheet = /** @type {HTMLDialogElement} */ (at('video'))
const player = /** @type {HTMLVideoElement} */ (at('video-result'))
const progress = /** @type {HTMLProgressElement} */ (at('video-progress'))
const start = /** @type {HTMLButtonElement} */ (at('video-start'))

/** @type {AbortController | null} */
let running = null

/**
 * Opens the sheet for a video.
 * @param {File} file
 * @param {{ style: any, masked: boolean }} look and what stylizeVideo takes
 */
export function openVideo(file, look) {
  if (!look.style) return showError(sentence(problem('video.style')))
  const text = t('video.text', { name: file.name, title: titleOf(look.style) })
  at('video-text').textContent = look.masked ? `${text} ${t('video.mask')}` : text
  showError(null, 'video-error')
  progress.hidden = player.hidden = at('video-share').hidden = true
  at('video-close').textContent = t('cancel')
  start.textContent = t('video.start')
  start.disabled = false
  start.onclick = () => paint(file, look)
  sheet.showModal()
}

/**
 * @param {File} file
 * @param {any} look
 */
async function paint(file, look) {
  const { signal } = running = new AbortController(), begun = performance.now()
  const onProgress = (/** @type {number} */ share) => {
    const left = (performance.now() - begun) / 1000 * (1 / share - 1)
    progress.value = share
    if (share) at('video-text').textContent = t('video.frames', { percent: percent(share), left: duration(left) })
  }
  start.disabled = true
  progress.hidden = false
  progress.value = 0
  showError(null, 'video-error')
  try {
    const { stylizeVideo } = await import('./engine/video.mjs')
    const blob = await stylizeVideo(file, { ...look, signal, onProgress })
    if (!signal.aborted) finish(file, blob, look.style)
  } catch (error) {
    if (!signal.aborted) showError(sentence(error), 'video-error')
    if (/** @type {any} */ (error)?.code === 'video.audio') {  // asked again, without it
      start.textContent = t('video.silent')
      start.onclick = () => paint(file, { ...look, sound: false })
    }
    start.disabled = false
  } finally {
    progress.hidden = true
  }
}

/**
 * @param {File} file
 * @param {Blob} blob
 * @param {any} style
 */
function finish(file, blob, style) {
  const suffix = blob.type.includes('webm') ? 'webm' : 'mp4'
  const name = nameOf(file.name.replace(/\.[^.]*$/, ''), style.name, suffix)
  player.src = URL.createObjectURL(blob)
  player.hidden = false
  at('video-text').textContent = t('video.done')
  announce(t('video.done'))
  at('video-close').textContent = t('close')
  start.textContent = t('video.save')
  start.disabled = false
  start.onclick = () => download(blob, name)
  at('video-share').hidden = !canShare(blob.type.split(';')[0])
  at('video-share').onclick = () =>
    navigator.share({ files: [new File([blob], name, { type: blob.type })] }).catch(error => showError(sentence(error), 'video-error'))
}

at('video-close').onclick = () => sheet.close()
sheet.onclose = () => {
  running?.abort()
  if (player.src) URL.revokeObjectURL(player.src)
  player.removeAttribute('src')
}
