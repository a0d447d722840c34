// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The ways in which a photo or a video comes in: the file chooser, dropping and pasting.
import { at } from './messages.mjs'

/** Calls `open` with each file that the user gives. */
export function startInputs(/** @type {(file: File) => void} */ open) {
  const input = /** @type {HTMLInputElement} */ (at('file')), stage = at('stage')
  const take = (/** @type {FileList | null | undefined} */ files) => { if (files?.[0]) open(files[0]) }
  at('open').onclick = () => input.click()
  for (const button of document.querySelectorAll('[data-open]')) /** @type {HTMLElement} */ (button).onclick = () => input.click()
  input.onchange = () => {
    take(input.files)
    input.value = ''  // so that the same file can be chosen again
  }
  document.ondragover = document.ondragleave = event => {
    event.preventDefault()
    stage.classList.toggle('over', event.type === 'dragover')
  }
  document.ondrop = event => {
    event.preventDefault()
    stage.classList.remove('over')
    take(event.dataTransfer?.files)
  }
  document.onpaste = event => take(event.clipboardData?.files)
}
