// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The page as an app: the service worker, new versions, and the button that installs it.
import { at } from './messages.mjs'

const PATIENCE = 4000  // ms to wait for the service worker, which a slow connection may delay
const RELOADED = 'impasto-reloaded'

/**
 * Starts the service worker, and waits until it answers this page's requests: it makes the page work offline, and
 * isolates it from other origins where the host sends no such headers, which threads need.
 * @param {() => boolean} untouched whether a reload loses nothing of the user's
 */
export async function startServiceWorker(untouched) {
  const container = navigator.serviceWorker
  if (!container || !isSecureContext) return
  try {
    const registration = await container.register('sw.js', { updateViaCache: 'none' })
    watch(registration, untouched)
    if (!container.controller) await Promise.race([new Promise(resolve => { container.oncontrollerchange = resolve }), pause()])
    container.oncontrollerchange = null
    if (container.controller && !crossOriginIsolated && !sessionStorage.getItem(RELOADED)) {
      sessionStorage.setItem(RELOADED, '1')  // once: a browser that cannot isolate it would reload forever
      location.reload()
      await new Promise(() => {})
    }
    cacheWhatIsLoaded(container)
  } catch {
    // a browser without site data: the page works, but not offline
  }
}

const pause = () => new Promise(resolve => setTimeout(resolve, PATIENCE))

/** Files that were loaded before the service worker answered are cached, too. */
function cacheWhatIsLoaded(/** @type {ServiceWorkerContainer} */ container) {
  const urls = performance.getEntriesByType('resource').map(({ name }) => name).filter(url => url.startsWith(location.origin))
  container.controller?.postMessage({ cache: urls })
}

/**
 * Offers a new version; it starts by itself where nothing would be lost.
 * @param {ServiceWorkerRegistration} registration
 * @param {() => boolean} untouched
 */
function watch(registration, untouched) {
  const offer = () => {
    const worker = registration.waiting
    if (!worker || !navigator.serviceWorker.controller) return
    const update = () => {
      if (worker.state === 'activated') return location.reload()  // another tab did it
      navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
      worker.postMessage({ activate: true })
    }
    if (untouched()) return update()
    at('update').hidden = false
    at('update-now').onclick = update
  }
  offer()
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing
    worker?.addEventListener('statechange', () => worker.state === 'installed' && offer())
  })
}

/** Shows the button that installs the page where the browser offers that. */
export function startInstall() {
  addEventListener('beforeinstallprompt', event => {
    event.preventDefault()
    at('install').hidden = false
    at('install').onclick = async () => {
      await /** @type {any} */ (event).prompt()
      at('install').hidden = true
    }
  })
}
