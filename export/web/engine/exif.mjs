// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// Carries the EXIF data of a photo to the JPEG that was made from it, as models/image/exif.py does: what describes the
// photo, its exposure and its place. Orientation becomes 1, and thumbnail and maker notes are dropped.

const MAX_BYTES = 65_000  // a JPEG segment holds 65,533 bytes in all
const HEAD = 256 * 1024  // bytes of a JPEG in which its size is looked for
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8]
const SHORT = 3, LONG = 4
const ORIENTATION = 0x112, EXIF = 0x8769, GPS = 0x8825
const COLOR_SPACE = 0xa001, WIDTH = 0xa002, HEIGHT = 0xa003
const SRGB = 1
// Description, maker, model, resolution and its unit, software, date, artist, computer, copyright, ratings and XP texts
const DESCRIPTIVE = new Set([
  0x10e, 0x10f, 0x110, 0x11a, 0x11b, 0x128, 0x131, 0x132, 0x13b, 0x13c, 0x8298, 0x4746, 0x4749, 0x9c9b, 0x9c9c, 0x9c9d,
  0x9c9e, 0x9c9f,
])
const LAYOUT_BOUND = new Set([0x927c, 0xa005])  // maker note and interoperability: their offsets break when moved

/** @typedef {{ type: number, count: number, value: Uint8Array }} Tag */
/** @typedef {Map<number, Tag>} Directory */

/**
 * @param {Blob} original the photo's file
 * @param {Blob} jpeg
 * @returns {Promise<Blob>} the JPEG with the photo's EXIF data; itself where there are none, or broken ones
 */
export async function keepExif(original, jpeg) {
  try {
    const source = exifOf(new DataView(await original.arrayBuffer()))
    if (!source) return jpeg
    const size = jpegSize(new DataView(await jpeg.slice(0, HEAD).arrayBuffer()))
    const exif = forOutput(source, size.width, size.height)
    const segment = new Uint8Array(10 + exif.length), view = new DataView(segment.buffer)
    view.setUint16(0, 0xffe1)
    view.setUint16(2, 8 + exif.length)
    segment.set([0x45, 0x78, 0x69, 0x66, 0, 0], 4)  // 'Exif'
    segment.set(exif, 10)
    return new Blob([jpeg.slice(0, 2), segment, jpeg.slice(2)], { type: jpeg.type })
  } catch {
    return jpeg  // a tag may hold anything, and broken EXIF data must not cost the picture
  }
}

/**
 * The EXIF data of a JPEG, a PNG or a WebP file.
 * @param {DataView} file
 * @returns {DataView | null}
 */
function exifOf(file) {
  const part = (/** @type {number} */ start, /** @type {number} */ length) =>
    new DataView(file.buffer, start, Math.min(length, file.byteLength - start))
  if (file.getUint16(0) === 0xffd8) {
    const found = segments(file).find(({ marker, start }) => marker === 0xe1 && file.getUint32(start) === 0x45786966)
    return found ? part(found.start + 6, found.length - 6) : null
  }
  const png = file.getUint32(0) === 0x89504e47, webp = file.getUint32(0) === 0x52494646
  for (let at = png ? 8 : 12; (png || webp) && at + 12 < file.byteLength;) {
    const [name, length] = png ? [file.getUint32(at + 4), file.getUint32(at)] : [file.getUint32(at), file.getUint32(at + 4, true)]
    if (name === 0x65584966 || name === 0x45584946) return part(at + 8, length)  // 'eXIf', 'EXIF'
    at += png ? 12 + length : 8 + length + length % 2
  }
  return null
}

/**
 * The segments of a JPEG before its pixels: the marker, and where what it holds starts.
 * @param {DataView} file
 */
function segments(file) {
  const found = []
  for (let at = 2; at + 4 <= file.byteLength && file.getUint8(at) === 0xff;) {
    const marker = file.getUint8(at + 1), length = file.getUint16(at + 2)
    found.push({ marker, start: at + 4, length: length - 2 })
    if (marker === 0xda) break
    at += 2 + length
  }
  return found
}

/** @param {DataView} file */
function jpegSize(file) {
  const isFrame = (/** @type {number} */ marker) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
  const frame = segments(file).find(({ marker }) => isFrame(marker))
  if (!frame) throw new Error('no size')
  return { height: file.getUint16(frame.start + 1), width: file.getUint16(frame.start + 3) }
}

/**
 * @param {DataView} source
 * @param {number} width
 * @param {number} height
 * @returns {Uint8Array}
 */
function forOutput(source, width, height) {
  const little = source.getUint16(0) === 0x4949, all = readDirectory(source, source.getUint32(4, little), little)
  const main = /** @type {Directory} */ (new Map([...all].filter(([tag]) => DESCRIPTIVE.has(tag))))
  main.set(ORIENTATION, number(SHORT, 1, little))
  const [camera, place] = [EXIF, GPS].map(tag => {
    const pointer = all.get(tag), none = /** @type {Directory} */ (new Map())
    return pointer ? readDirectory(source, viewOf(pointer.value).getUint32(0, little), little) : none
  })
  for (const tag of LAYOUT_BOUND) camera.delete(tag)
  for (const [tag, value] of [[WIDTH, width], [HEIGHT, height]]) if (camera.has(tag)) camera.set(tag, number(LONG, value, little))
  if (camera.has(COLOR_SPACE)) camera.set(COLOR_SPACE, number(SHORT, SRGB, little))  // canvases are sRGB
  for (;;) {
    const data = write(main, camera, place, little)
    if (data.length <= MAX_BYTES) return data
    const all = [main, camera, place].flatMap(directory => [...directory].map(([tag, { value }]) => ({ directory, tag, value })))
    const longest = all.reduce((one, other) => other.value.length > one.value.length ? other : one)
    longest.directory.delete(longest.tag)
  }
}

/**
 * @param {DataView} source
 * @param {number} start
 * @param {boolean} little
 * @returns {Directory}
 */
function readDirectory(source, start, little) {
  const directory = new Map(), entries = source.getUint16(start, little)
  for (let i = 0, at = start + 2; i < entries; i++, at += 12) {
    const tag = source.getUint16(at, little), type = source.getUint16(at + 2, little), count = source.getUint32(at + 4, little)
    const length = (TYPE_BYTES[type] ?? 0) * count, value = length > 4 ? source.getUint32(at + 8, little) : at + 8
    if (length && value + length <= source.byteLength)
      directory.set(tag, { type, count, value: new Uint8Array(source.buffer, source.byteOffset + value, length) })
  }
  return directory
}

/**
 * @param {Directory} main
 * @param {Directory} camera
 * @param {Directory} place
 * @param {boolean} little
 */
function write(main, camera, place, little) {
  const directories = [new Map(main), camera, place], starts = [8]
  if (camera.size) directories[0].set(EXIF, number(LONG, 0, little))
  if (place.size) directories[0].set(GPS, number(LONG, 0, little))
  const sizes = directories.map(directory => directory.size ? 6 + 12 * directory.size + [...directory.values()]
    .reduce((sum, { value }) => sum + (value.length > 4 ? value.length + value.length % 2 : 0), 0) : 0)
  for (const size of sizes) starts.push(starts[starts.length - 1] + size)
  if (camera.size) directories[0].set(EXIF, number(LONG, starts[1], little))
  if (place.size) directories[0].set(GPS, number(LONG, starts[2], little))
  const data = new Uint8Array(starts[3]), view = viewOf(data)
  view.setUint16(0, little ? 0x4949 : 0x4d4d)
  view.setUint16(2, 42, little)
  view.setUint32(4, 8, little)
  directories.forEach((directory, which) => {
    if (!directory.size) return
    let at = starts[which] + 2, free = starts[which] + 6 + 12 * directory.size
    view.setUint16(starts[which], directory.size, little)
    for (const [tag, { type, count, value }] of [...directory].sort(([one], [other]) => one - other)) {
      view.setUint16(at, tag, little)
      view.setUint16(at + 2, type, little)
      view.setUint32(at + 4, count, little)
      if (value.length > 4) view.setUint32(at + 8, free, little)
      data.set(value, value.length > 4 ? free : at + 8)
      if (value.length > 4) free += value.length + value.length % 2
      at += 12
    }
  })
  return data
}

/**
 * @param {number} type
 * @param {number} value
 * @param {boolean} little
 * @returns {Tag}
 */
function number(type, value, little) {
  const bytes = new Uint8Array(TYPE_BYTES[type]), view = viewOf(bytes)
  if (type === SHORT) view.setUint16(0, value, little)
  else view.setUint32(0, value, little)
  return { type, count: 1, value: bytes }
}

/** @param {Uint8Array} bytes */
const viewOf = bytes => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
