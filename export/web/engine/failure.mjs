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

/** The error of work that its AbortSignal ended. */
export const aborted = () => new DOMException('The work was canceled.', 'AbortError')
