// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// A classic script, because browsers load no module from a page that was opened as a file.
'use strict'

if (location.protocol === 'file:') {
  const error = document.querySelector('main .error')
  error.textContent = 'A page opened as a file cannot read the styles; use impasto-app, or impasto-preview bundle=DIR.'
  error.hidden = false
}
