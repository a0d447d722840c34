// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Errors of the engine carry a `code`, the key of the sentence that the page shows.

/**
 * @param {string} code
 * @param {string} message
 * @param {unknown} [cause]
 * @returns {Error & { code: string }}
 */
export const failure = (code, message, cause) => Object.assign(new Error(message, { cause }), { code })

/**
 * Why the GPU does not run: a key of the page's texts, and its values. Texts of the browser are in no language of the page.
 * @param {any} error
 * @returns {import('./types.mjs').Reason}
 */
export function reasonOf(error) {
  if (error?.code?.startsWith('gpu.')) return { code: error.code, values: error.values ?? {} }
  return { code: 'gpu.failed', values: { message: error?.message ?? String(error) } }
}

/** The error of work that its AbortSignal ended. */
export const aborted = () => new DOMException('The work was canceled.', 'AbortError')
