package impasto

import android.graphics.Bitmap
import kotlin.math.abs
import kotlin.math.roundToInt

/** Applies strength, colors and mask to a stylized photo, row by row, in the order of `impasto-stylize`. */
internal class StyleTransferControls(
    strength: Float,
    private val keepColors: Boolean,
    mask: Bitmap?,
    invertMask: Boolean,
    width: Int,
    height: Int,
) {
    private val weight: Int
    private val mask: Mask?

    init {
        require(strength in 0f..1f) { "strength is $strength; it must be from 0 to 1" }
        weight = (strength * ONE).roundToInt()
        this.mask = mask?.let { Mask(it, invertMask, width, height) }
    }

    /** Whether the stylized photo stays unchanged. */
    val isPlain = weight == ONE && !keepColors && mask == null

    /**
     * Mixes [photo] into [painted]: [count] pixels of straight RGBA, starting at column [left] of row [y] of the photo.
     *
     * First by strength; then the photo's colors with the other's luminance Y of YIQ (Gatys et al. 2016, "Preserving
     * Color in Neural Artistic Style Transfer"), which adds the same difference to red, green and blue; then by the mask.
     */
    fun mix(photo: ByteArray, painted: ByteArray, y: Int, left: Int, count: Int) {
        val parts = mask?.row(y, left, count)
        for (i in 0 until count * 4 step 4) {
            for (c in i until i + 3) {
                painted[c] = ((painted.at(c) * weight + photo.at(c) * (ONE - weight) + ONE / 2) shr 16).toByte()
            }
            if (keepColors) {
                val change = luminance(painted, i) - luminance(photo, i)
                for (c in i until i + 3) {
                    painted[c] = (((photo.at(c) * 1000 + change).coerceIn(0, 255_000) + 500) / 1000).toByte()
                }
            }
            if (parts != null) {
                val part = parts[i / 4]
                for (c in i until i + 3) {
                    painted[c] = ((painted.at(c) * part + photo.at(c) * (255 - part) + 127) / 255).toByte()
                }
            }
        }
    }

    /** A gray image scaled to the photo. */
    private class Mask(mask: Bitmap, private val invert: Boolean, private val width: Int, private val height: Int) {
        private val isAlpha = mask.config == Bitmap.Config.ALPHA_8
        private val mask = if (mask.config == Bitmap.Config.HARDWARE) readable(mask) else mask
        private val line = IntArray(mask.width)
        private val above = IntArray(mask.width)
        private val below = IntArray(mask.width)
        private var parts = IntArray(0)

        init {
            val apart = abs(mask.width.toLong() * height - mask.height.toLong() * width)
            require(apart <= maxOf(width, height)) {
                "The mask is ${mask.width}x${mask.height} pixels, which is another shape than the photo's ${width}x$height"
            }
        }

        /** How strongly [count] pixels, starting at column [left] of row [y] of the photo, are stylized, 0 to 255. */
        fun row(y: Int, left: Int, count: Int): IntArray {
            if (parts.size < count) parts = IntArray(count)
            val row = place(y, height, mask.height)
            val first = place(left, width, mask.width) shr 8
            val last = minOf((place(left + count - 1, width, mask.width) shr 8) + 1, mask.width - 1)
            read(row shr 8, first, last, above)
            read(minOf((row shr 8) + 1, mask.height - 1), first, last, below)
            val down = row and 255
            for (x in 0 until count) {
                val column = place(left + x, width, mask.width)
                val right = column and 255
                val here = (column shr 8) - first
                val next = minOf(here + 1, last - first)
                val upper = above[here] * (256 - right) + above[next] * right
                val lower = below[here] * (256 - right) + below[next] * right
                parts[x] = (upper * (256 - down) + lower * down + (1 shl 15)) shr 16
            }
            return parts
        }

        /** Fills [parts] with row [y] of the mask itself, from column [first] to [last]. */
        private fun read(y: Int, first: Int, last: Int, parts: IntArray) {
            mask.getPixels(line, 0, mask.width, first, y, last - first + 1, 1)
            for (x in 0..last - first) {
                val color = line[x]
                val sum = 299 * (color shr 16 and 255) + 587 * (color shr 8 and 255) + 114 * (color and 255)
                val gray = if (isAlpha) 255 else (sum + 500) / 1000
                val part = (gray * (color ushr 24) + 127) / 255
                parts[x] = if (invert) 255 - part else part
            }
        }

        /** The position of a photo's pixel center between those of the mask, in 256ths of a pixel. */
        private fun place(at: Int, length: Int, size: Int): Int =
            (((2L * at + 1) * size - length).coerceIn(0L, 2L * length * (size - 1)) * 128 / length).toInt()
    }

    private companion object {
        const val ONE = 1 shl 16 // strength 1 as an integer: 255 times it stays below 2^31

        fun ByteArray.at(i: Int): Int = this[i].toInt() and 255

        /** Y of ITU-R BT.601, times 1000. */
        fun luminance(rgba: ByteArray, i: Int): Int = 299 * rgba.at(i) + 587 * rgba.at(i + 1) + 114 * rgba.at(i + 2)

        fun readable(mask: Bitmap): Bitmap =
            checkNotNull(mask.copy(Bitmap.Config.ARGB_8888, false)) { "No memory for a copy of the mask" }
    }
}
