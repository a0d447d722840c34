// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The service worker: each version of the page has its cache, and is used as a whole, so that the page works
// offline and never mixes two versions. Styles and runtimes are cached when the page first asks for them.
'use strict'

importScripts('files.js')  // self.APP: the version, and the files that each page needs

const PREFIX = `impasto ${registration.scope} `, CACHE = PREFIX + self.APP.version
const FOLDERS = ['runtime/', 'styles/', '../android/']  // what is cached when it is asked for

/** Adds the headers that isolate the page, which threads need; some hosts cannot send them. */
function isolated(response) {
  if (!response || response.status !== 200 || response.headers.get('Cross-Origin-Embedder-Policy')) return response
  const headers = new Headers(response.headers)
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp')
  headers.set('Cross-Origin-Opener-Policy', 'same-origin')
  headers.set('Cross-Origin-Resource-Policy', 'same-origin')
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

const urlOf = path => new URL(path, registration.scope).href
const isOurs = url => self.APP.files.some(file => urlOf(file) === url) || FOLDERS.some(folder => url.startsWith(urlOf(folder)))

async function install() {
  const cache = await caches.open(CACHE)
  await Promise.all(self.APP.files.map(file => add(cache, urlOf(file))))
  await inherit(cache)
}

async function add(cache, url) {
  const response = await fetch(url, { cache: 'no-cache' })
  if (response.status !== 200) throw new Error(`${url} is missing (${response.status})`)
  const { body, headers } = response
  await cache.put(url, new Response(body, { headers }))  // without its redirect, which no navigation may be answered with
}

/** Takes over the styles and runtimes of an earlier version that the new one did not change: they are megabytes. */
async function inherit(cache) {
  for (const name of await caches.keys()) {
    if (!name.startsWith(PREFIX) || name === CACHE) continue
    const earlier = await caches.open(name)
    for (const { url } of await earlier.keys()) {
      if (!FOLDERS.some(folder => url.startsWith(urlOf(folder))) || await cache.match(url)) continue
      const [old, head] = await Promise.all([earlier.match(url), fetch(url, { method: 'HEAD', cache: 'no-cache' })])
      if (head.status === 200 && sameFile(old, head)) await cache.put(url, old)
    }
  }
}

/** Whether two responses are of one file: by the host's ETag; without one, the file is loaded again. */
const sameFile = (one, other) => one.headers.get('ETag') !== null && one.headers.get('ETag') === other.headers.get('ETag')

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name)
  await clients.claim()
}

async function answer(request) {
  const url = new URL(request.url)
  url.search = url.hash = ''  // ?lang=fa
  const cache = await caches.open(CACHE)
  const cached = await cache.match(url.href)
  if (cached) return isolated(cached)
  const response = await fetch(request)
  if (response.status === 200 && isOurs(url.href)) await cache.put(url.href, response.clone())
  return isolated(response)
}

oninstall = event => event.waitUntil(install())
onactivate = event => event.waitUntil(activate())
onfetch = event => {
  const { url, method } = event.request
  if (method === 'GET' && new URL(url).origin === location.origin) event.respondWith(answer(event.request))
}
onmessage = ({ data }) => {
  if (data.activate) skipWaiting()
  for (const url of data.cache ?? []) if (isOurs(url)) answer(new Request(url)).catch(() => {})
}
