// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Finds what runs the networks, by trying.
/** @import { Backend, Info } from './types.mjs' */
import { createWasmBackend } from './ort_backend.mjs'

/**
 * @param {URL} runtime the folder of the runtimes' files
 * @param {'auto' | 'webgpu' | 'wasm'} prefer
 * @returns {Promise<{ backend: Backend, info: Info }>}
 */
export async function chooseBackend(runtime, prefer) {
  const backend = await createWasmBackend(runtime)
  const reason = prefer === 'wasm' ? 'the CPU was asked for' : 'this version has no GPU'
  return { backend, info: { runtime: backend.name, threads: backend.threads, reason } }
}
