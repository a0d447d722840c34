// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import android.os.Build
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Returns a mutable copy of a bitmap of any configuration and color space, with the same density and transparency:
 * ARGB_8888 in sRGB, on which the networks are trained. The copy is [into] if that is given.
 */
internal fun copyAsSrgb(photo: Bitmap, into: Bitmap? = null): Bitmap {
    if (into != null) checkReusable(into, photo)
    if (into == null && isSrgb(photo)) return copy(photo, true)
    val source = readable(photo)
    val result = into ?: Bitmap.createBitmap(source.width, source.height, Bitmap.Config.ARGB_8888)
    result.density = source.density
    result.setHasAlpha(source.hasAlpha())
    result.isPremultiplied = !source.hasAlpha() || source.isPremultiplied
    val colors = IntArray(source.width)
    for (y in 0 until source.height) {
        source.getPixels(colors, 0, colors.size, 0, y, colors.size, 1) // in sRGB, whatever the color space
        result.setPixels(colors, 0, colors.size, 0, y, colors.size, 1)
    }
    return result
}

private fun checkReusable(into: Bitmap, photo: Bitmap) {
    require(into !== photo) { "into is the photo; it must be another bitmap" }
    require(into.width == photo.width && into.height == photo.height) {
        "into is ${into.width}x${into.height} pixels; it must be ${photo.width}x${photo.height}, as the photo"
    }
    require(into.isMutable && into.config == Bitmap.Config.ARGB_8888 && isSrgb(into)) {
        "into must be a mutable ARGB_8888 bitmap in sRGB"
    }
}

/** Returns a bitmap, or a copy of one whose pixels cannot be read. Before API 26 all can. */
internal fun readable(bitmap: Bitmap): Bitmap {
    val isHardware = Build.VERSION.SDK_INT >= Build.VERSION_CODES.O && bitmap.config == Bitmap.Config.HARDWARE
    return if (isHardware) copy(bitmap, false) else bitmap
}

/** Whether the bytes of a copy with 8 bits per channel are sRGB. Before API 26 bitmaps have no color space. */
private fun isSrgb(bitmap: Bitmap): Boolean =
    Build.VERSION.SDK_INT < Build.VERSION_CODES.O || bitmap.colorSpace?.isSrgb != false

private fun copy(bitmap: Bitmap, mutable: Boolean): Bitmap =
    checkNotNull(bitmap.copy(Bitmap.Config.ARGB_8888, mutable)) { "Not enough memory to copy the bitmap" }

/** Writes ARGB colors as RGBA bytes. */
internal fun writeColors(colors: IntArray, rgba: ByteBuffer) {
    rgba.rewind()
    val words = rgba.order(ByteOrder.BIG_ENDIAN).asIntBuffer()
    for (color in colors) words.put((color shl 8) or (color ushr 24))
    rgba.order(ByteOrder.nativeOrder())
}

/** Returns RGBA bytes as ARGB colors. */
internal fun readColors(rgba: ByteBuffer): IntArray {
    rgba.rewind()
    val words = rgba.order(ByteOrder.BIG_ENDIAN).asIntBuffer()
    val colors = IntArray(words.remaining()) { words.get(it).let { word -> (word ushr 8) or (word shl 24) } }
    rgba.order(ByteOrder.nativeOrder())
    return colors
}

private const val BLOCK = 1 shl 14 // bytes processed at a time in an array, which is much faster than in a buffer

/** Converts premultiplied RGBA to straight RGBA, in place. */
internal fun divideByAlpha(pixels: ByteBuffer) {
    val block = ByteArray(BLOCK)
    for (start in 0 until pixels.capacity() step BLOCK) {
        val count = minOf(BLOCK, pixels.capacity() - start)
        pixels.position(start)
        pixels.get(block, 0, count)
        for (i in 0 until count step 4) {
            val alpha = block[i + 3].toInt() and 255
            if (alpha == 0 || alpha == 255) continue
            for (c in i until i + 3) {
                block[c] = minOf(255, ((block[c].toInt() and 255) * 255 + alpha / 2) / alpha).toByte()
            }
        }
        pixels.position(start)
        pixels.put(block, 0, count)
    }
}

/** Converts straight RGBA to premultiplied RGBA, in place. */
internal fun multiplyByAlpha(row: ByteArray) {
    for (i in row.indices step 4) {
        val alpha = row[i + 3].toInt() and 255
        for (c in i until i + 3) row[c] = (((row[c].toInt() and 255) * alpha + 127) / 255).toByte()
    }
}
