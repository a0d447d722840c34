// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Starts worker.mjs. This is a classic worker because LiteRT loads a script by importScripts, which module workers lack.
const receiver = import('./worker.mjs')
onmessage = async ({ data }) => (await receiver).receive(data)
receiver.catch(error => setTimeout(() => { throw error }))  // a rejection does not reach the page, an error does
