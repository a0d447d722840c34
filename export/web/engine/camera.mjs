// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The viewfinder: paints what the camera sees, as large as the machine can at 15 frames a second.
/** @import { createEngine, Frame } from './engine.mjs' */
/** @import { Controls, Style } from './types.mjs' */
import { failure } from './failure.mjs'
import { Pace } from './pace.mjs'
import { keyOf } from './store.mjs'

const STEP = 8  // px; sides are multiples of it, so that no network has to pad
const MIN_SIDE = 16  // px; the contract of an exported file
const PHOTO_TIMEOUT = 5000  // ms
const ERRORS = { NotAllowedError: 'camera.denied', SecurityError: 'camera.denied' }

/** @typedef {{ fps: number, width: number, height: number, milliseconds: number, runtime: string }} Stats */

/**
 * @param {object} options
 * @param {Awaited<ReturnType<typeof createEngine>>} options.engine
 * @param {HTMLCanvasElement} options.canvas
 * @param {'user' | 'environment'} [options.facing] the front or the back camera
 * @param {() => Style} options.style the present style
 * @param {() => Controls & { strokes: number }} options.controls `strokes` is the factor of the stroke resolution: below 1 for
 *   broader strokes; finer ones than the viewfinder's size gives would take more time than there is
 * @param {(stats: Stats) => void} [options.onStats] called after each frame
 * @param {(error: Error) => void} [options.onError] called if the viewfinder stops by itself
 */
export async function startCamera({ engine, canvas, facing = 'environment', style, controls, onStats, onError }) {
  let camera = await Camera.open(facing), running = true, ready = Promise.resolve()
  const pace = new Pace(), context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
  /** @type {Frame | null} */
  let previous = null, last = ''

  /** @param {Camera} source */
  async function paintFrame(source) {
    const now = style(), { width, height } = source.sizeFor(pace.side), { strokes, ...look } = controls(), share = Math.min(1, strokes)
    const frame = await createImageBitmap(source.video, { resizeWidth: width, resizeHeight: height, resizeQuality: 'medium' })
    const key = `${keyOf(now)} ${strokes}`
    if (key !== last) previous = null
    last = key
    const strokeResolution = Math.max(MIN_SIDE, Math.round(Math.min(width, height) * share))
    const result = await engine.frame(frame, { ...look, style: now, strokeResolution, previous })
    previous = source.closed ? null : result
    if (!source.closed) {
      Object.assign(canvas, { width, height })  // also clears the transform
      if (source.mirrored) context.setTransform(-1, 0, 0, 1, width, 0)
      context.drawImage(result.image, 0, 0)
      const { milliseconds, runtime } = result, fps = pace.frame(performance.now(), milliseconds / share ** 2)
      onStats?.({ fps, width, height, milliseconds, runtime })
    }
    result.image.close()
  }

  const loop = (async () => {
    while (running) {
      await ready
      const source = camera
      await source.nextFrame()
      if (!source.closed) await paintFrame(source).catch(error => {
        if (!source.closed) throw error
      })
    }
  })().catch(error => {
    if (!running) return
    running = false
    camera.close()
    onError?.(error)
  })

  return {
    get facing() { return camera.facing },
    async stop() {
      running = false
      camera.close()
      await loop
    },
    /** The photo, in full resolution and not mirrored, as the cameras of phones save it. */
    still: () => camera.takePhoto(),
    async flip() {
      const { facing } = camera
      camera.close()  // a phone has one camera open at a time
      const opened = Camera.open(facing === 'user' ? 'environment' : 'user')
      ready = opened.catch(() => Camera.open(facing)).then(found => { camera = found })
      await ready
      await opened  // its error is that there is no other camera
      return camera.facing
    },
  }
}

class Camera {
  /**
   * @param {'user' | 'environment'} facing
   */
  static async open(facing) {
    if (!navigator.mediaDevices?.getUserMedia) throw failure('camera.missing', 'This browser has no access to cameras.')
    const video = { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } }
    const stream = await navigator.mediaDevices.getUserMedia({ video }).catch(error => {
      throw failure(ERRORS[/** @type {keyof typeof ERRORS} */ (error.name)] ?? 'camera.missing', error.message || error.name)
    })
    const camera = new Camera(stream, facing)
    await camera.video.play()
    return camera
  }

  /**
   * @param {MediaStream} stream
   * @param {'user' | 'environment'} facing
   */
  constructor(stream, facing) {
    this.stream = stream
    this.track = stream.getVideoTracks()[0]
    this.facing = facing
    this.closed = false
    this.mirrored = (this.track.getSettings().facingMode ?? facing) === 'user'
    this.video = Object.assign(document.createElement('video'), { srcObject: stream, muted: true, playsInline: true })
  }

  nextFrame() {
    if (this.track.readyState === 'ended' && !this.closed)
      return Promise.reject(failure('camera.missing', 'The camera was taken away.'))
    return new Promise(resolve => {
      const done = () => resolve(undefined)
      this.track.addEventListener('ended', done, { once: true })
      if ('requestVideoFrameCallback' in this.video) this.video.requestVideoFrameCallback(done)
      else requestAnimationFrame(done)
    })
  }

  /**
   * @param {number} side the short side, px; no larger than the camera's
   */
  sizeFor(side) {
    const { videoWidth, videoHeight } = this.video, scale = Math.min(1, side / Math.min(videoWidth, videoHeight))
    const [width, height] = [videoWidth, videoHeight].map(length => Math.max(STEP, STEP * Math.round(length * scale / STEP)))
    return { width, height }
  }

  /** @returns {Promise<ImageBitmap>} */
  async takePhoto() {
    if ('ImageCapture' in globalThis) {
      const late = new Promise((_, reject) => setTimeout(reject, PHOTO_TIMEOUT, new Error('the camera took too long')))
      const photo = Promise.race([new ImageCapture(this.track).takePhoto(), late])
      const bitmap = await photo.then(blob => createImageBitmap(/** @type {Blob} */ (blob))).catch(() => null)
      if (bitmap) return bitmap
    }
    return createImageBitmap(this.video)  // a frame, as large as the camera gives
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop()
    this.closed = true
    this.track.dispatchEvent(new Event('ended'))  // `stop` sends none, and `nextFrame` may wait
    this.video.pause()
  }
}
