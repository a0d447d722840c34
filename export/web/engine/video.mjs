// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Stylizes a video file frame by frame. WebCodecs decodes and encodes; Mediabunny reads and writes the containers.
/** @import { createEngine, Frame } from './engine.mjs' */
/** @import { Style } from './types.mjs' */
import { aborted, failure } from './failure.mjs'

/** Codecs of each container, the best one first. @type {Record<string, import('mediabunny').VideoCodec[]>} */
const CODECS = { mp4: ['avc', 'hevc', 'av1', 'vp9'], webm: ['vp9', 'vp8', 'av1'] }

/**
 * @param {Blob} file
 * @param {object} options
 * @param {Awaited<ReturnType<typeof createEngine>>} options.engine
 * @param {Style} options.style
 * @param {number} [options.strength]
 * @param {boolean} [options.keepColors]
 * @param {(size: { width: number, height: number }) => 'auto' | 'native' | number} [options.strokeResolution] of frames of a size
 * @param {boolean} [options.sound] false drops the sound, for a file whose sound this browser cannot keep
 * @param {AbortSignal} [options.signal]
 * @param {(share: number) => void} [options.onProgress] 0..1
 * @returns {Promise<Blob>} an MP4 or WebM file
 */
export async function stylizeVideo(file, options) {
  const { engine, style, strength = 1, keepColors = false, strokeResolution = () => 'auto', sound = true, signal, onProgress } = options
  if (!('VideoEncoder' in globalThis && 'VideoDecoder' in globalThis))
    throw failure('video.unsupported', 'This browser cannot encode videos (it has no WebCodecs).')
  const media = await load(engine.base)
  if (signal?.aborted) throw aborted()
  const input = new media.Input({ source: new media.BlobSource(file), formats: media.ALL_FORMATS })
  try {
    const { track, size } = await readTrack(input), { format, codec } = await chooseFormat(media, input, size)
    const controls = { style, strength, keepColors, strokeResolution: strokeResolution(size), signal }
    const output = new media.Output({ format, target: new media.BufferTarget() })
    /** @type {Frame | null} */
    let previous = null
    const conversion = await media.Conversion.init({
      input,
      output,
      showWarnings: false,
      audio: sound ? {} : { discard: true },
      video: (/** @type {any} */ each) => each.id !== track.id ? { discard: true } : {
        codec,
        forceTranscode: true,
        quality: new media.Quality('very-high'),  // strokes need more bits than photos
        allowTransformationMetadata: false,  // frames are upright, as the network wants them
        async process(sample) {
          if (signal?.aborted) throw aborted()
          const result = previous = await engine.frame(sample.toVideoFrame(), { ...controls, previous })
          const painted = new media.VideoSample(result.image, { timestamp: sample.timestamp, duration: sample.duration })
          result.image.close()
          return painted
        },
      },
    })
    const lost = conversion.discardedTracks.find(({ track, reason }) => track.isAudioTrack() && reason !== 'discarded_by_user')
    if (lost) throw failure('video.audio', `This browser cannot keep the sound of the video (${lost.reason}).`)
    if (!conversion.isValid) throw failure('video.unsupported', 'This browser cannot decode or encode the video.')
    conversion.onProgress = share => onProgress?.(Math.min(1, share))
    const cancel = () => conversion.cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    await conversion.execute().finally(() => signal?.removeEventListener('abort', cancel))
    onProgress?.(1)
    return new Blob([/** @type {ArrayBuffer} */ (output.target.buffer)], { type: await output.getMimeType() })
  } catch (error) {
    if (signal?.aborted) throw aborted()
    throw error
  } finally {
    input.dispose()
  }
}

/**
 * @param {URL} base the folder of app.json
 * @returns {Promise<typeof import('mediabunny')>}
 */
async function load(base) {
  return import(new URL('runtime/mediabunny.min.mjs', base).href).catch(() => {
    throw failure('video.unsupported', 'This page was written without the files for videos.')
  })
}

/** @param {import('mediabunny').Input} input */
async function readTrack(input) {
  const track = await input.getPrimaryVideoTrack().catch(() => null)
  if (!track) throw failure('video.unreadable', 'The file is not a video that this browser can read.')
  if (!await track.canDecode()) throw failure('video.unsupported', 'This browser cannot decode the video.')
  return { track, size: { width: await track.getDisplayWidth(), height: await track.getDisplayHeight() } }
}

/**
 * The container of the input where this browser has an encoder for it, else the other one.
 * @param {typeof import('mediabunny')} media
 * @param {import('mediabunny').Input} input
 * @param {{ width: number, height: number }} size
 */
async function chooseFormat(media, input, size) {
  const isWebm = await input.getFormat() instanceof media.WebMInputFormat
  for (const name of isWebm ? ['webm', 'mp4'] : ['mp4', 'webm']) {
    const codec = await media.getFirstEncodableVideoCodec(CODECS[name], size)
    if (codec && name === 'mp4') return { codec, format: new media.Mp4OutputFormat({ fastStart: 'in-memory' }) }
    if (codec) return { codec, format: new media.WebMOutputFormat() }
  }
  throw failure('video.unsupported', `This browser cannot encode videos of ${size.width} × ${size.height} pixels.`)
}
