// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import android.os.Build
import java.nio.ByteBuffer

/**
 * Returns a mutable copy of a bitmap of any configuration and color space, with the same density and transparency:
 * ARGB_8888 in sRGB, on which the networks are trained.
 */
internal fun copyAsSrgb(photo: Bitmap): Bitmap {
    if (isSrgb(photo)) return copy(photo, true)
    val source = readable(photo)
    val result = Bitmap.createBitmap(source.width, source.height, Bitmap.Config.ARGB_8888)
    result.density = source.density
    result.setHasAlpha(source.hasAlpha())
    if (source.hasAlpha() && !source.isPremultiplied) result.isPremultiplied = false
    val colors = IntArray(source.width)
    for (y in 0 until source.height) {
        source.getPixels(colors, 0, colors.size, 0, y, colors.size, 1) // in sRGB, whatever the color space
        result.setPixels(colors, 0, colors.size, 0, y, colors.size, 1)
    }
    return result
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
