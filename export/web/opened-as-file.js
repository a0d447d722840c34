// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// A classic script, because browsers load no module from a page that was opened as a file; so its texts are here.
'use strict'

if (location.protocol === 'file:') {
  const error = document.querySelector('main .error')
  const persian = navigator.language.startsWith('fa')
  if (persian) Object.assign(document.documentElement, { lang: 'fa', dir: 'rtl' })
  error.textContent = persian
    ? 'صفحه‌ای که چون پرونده باز شود سبک‌ها را نمی‌خواند؛ impasto-app یا impasto-preview bundle=DIR را به کار ببرید.'
    : 'A page opened as a file cannot read the styles; use impasto-app, or impasto-preview bundle=DIR.'
  error.hidden = false
}
