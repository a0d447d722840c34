// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import kotlin.math.abs
import kotlin.math.roundToInt

/** Applies strength, `keepColors` and mask to a stylized photo, row by row, in the order of `impasto-stylize`. */
internal class StyleTransferControls(
    strength: Float,
    private val keepColors: Boolean,
    mask: Bitmap?,
    invertMask: Boolean,
    width: Int,
    height: Int,
) {
    private val strength: Int
    private val mask: Mask?

    init {
        require(strength in 0f..1f) { "strength is $strength; it must be from 0 to 1" }
        this.strength = (strength * ONE).roundToInt()
        this.mask = mask?.let { Mask(it, invertMask, width, height) }
    }

    /** Whether the result is the photo, whatever the network computes. */
    val isPhoto = this.strength == 0

    /** Whether [blend] leaves the stylized photo unchanged. */
    val isIdentity = this.strength == ONE && !keepColors && mask == null

    /**
     * Blends [photo] into [stylized]: [count] pixels of straight RGBA, from column [left] of row [y] of the photo.
     *
     * The strength is applied first. Then `keepColors` combines the photo's colors with the luminance Y (YIQ) of the
     * stylized photo, by adding the difference of the two luminances to red, green and blue (Gatys et al. 2016,
     * "Preserving Color in Neural Artistic Style Transfer"). The mask is applied last.
     */
    fun blend(photo: ByteArray, stylized: ByteArray, y: Int, left: Int, count: Int) {
        val weights = mask?.row(y, left, count)
        for (i in 0 until count * 4 step 4) {
            for (c in i until i + 3) {
                stylized[c] = ((stylized.at(c) * strength + photo.at(c) * (ONE - strength) + ONE / 2) shr 16).toByte()
            }
            if (keepColors) {
                val change = luminance(stylized, i) - luminance(photo, i)
                for (c in i until i + 3) {
                    stylized[c] = (((photo.at(c) * 1000 + change).coerceIn(0, 255_000) + 500) / 1000).toByte()
                }
            }
            if (weights != null) {
                val weight = weights[i / 4]
                for (c in i until i + 3) {
                    stylized[c] = ((stylized.at(c) * weight + photo.at(c) * (255 - weight) + 127) / 255).toByte()
                }
            }
        }
    }

    /** A grayscale image, resized to the photo bilinearly. */
    private class Mask(mask: Bitmap, private val invert: Boolean, private val width: Int, private val height: Int) {
        private val isAlpha = mask.config == Bitmap.Config.ALPHA_8
        private val mask = readable(mask)
        private val colors = IntArray(mask.width)
        private val above = IntArray(mask.width)
        private val below = IntArray(mask.width)
        private var weights = IntArray(0)

        init {
            val difference = abs(mask.width.toLong() * height - mask.height.toLong() * width)
            require(difference <= maxOf(width, height)) {
                "The mask is ${mask.width}x${mask.height} pixels, but the photo is ${width}x$height; " +
                    "their aspect ratios must be equal"
            }
        }

        /** Returns the style's weights, 0 to 255, for [count] pixels from column [left] of row [y] of the photo. */
        fun row(y: Int, left: Int, count: Int): IntArray {
            if (weights.size < count) weights = IntArray(count)
            val row = maskPosition(y, height, mask.height)
            val first = maskPosition(left, width, mask.width) shr 8
            val last = minOf((maskPosition(left + count - 1, width, mask.width) shr 8) + 1, mask.width - 1)
            readRow(row shr 8, first, last, above)
            readRow(minOf((row shr 8) + 1, mask.height - 1), first, last, below)
            val down = row and 255
            for (x in 0 until count) {
                val column = maskPosition(left + x, width, mask.width)
                val right = column and 255
                val here = (column shr 8) - first
                val next = minOf(here + 1, last - first)
                val upper = above[here] * (256 - right) + above[next] * right
                val lower = below[here] * (256 - right) + below[next] * right
                weights[x] = (upper * (256 - down) + lower * down + (1 shl 15)) shr 16
            }
            return weights
        }

        /** Fills [values] with the weights of row [y] of the mask, from column [first] to [last]. */
        private fun readRow(y: Int, first: Int, last: Int, values: IntArray) {
            mask.getPixels(colors, 0, mask.width, first, y, last - first + 1, 1)
            for (x in 0..last - first) {
                val color = colors[x]
                val sum = 299 * (color shr 16 and 255) + 587 * (color shr 8 and 255) + 114 * (color and 255)
                val gray = if (isAlpha) 255 else (sum + 500) / 1000
                val weight = (gray * (color ushr 24) + 127) / 255
                values[x] = if (invert) 255 - weight else weight
            }
        }

        /** Maps the center of pixel [index] of the photo to the pixel centers of the mask, in 1/256 px. */
        private fun maskPosition(index: Int, length: Int, maskLength: Int): Int {
            val position = ((2L * index + 1) * maskLength - length).coerceIn(0L, 2L * length * (maskLength - 1))
            return (position * 128 / length).toInt()
        }
    }

    private companion object {
        const val ONE = 1 shl 16 // strength 1 in fixed point; 255 times it fits in an Int

        fun ByteArray.at(i: Int): Int = this[i].toInt() and 255

        /** Luma Y of ITU-R BT.601, times 1000. */
        fun luminance(rgba: ByteArray, i: Int): Int = 299 * rgba.at(i) + 587 * rgba.at(i + 1) + 114 * rgba.at(i + 2)
    }
}
