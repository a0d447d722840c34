// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.sqrt

/**
 * Estimates the instance-norm statistics of a large photo, as `impasto-stylize` does with `tiles.statistics=thumbnail`.
 *
 * A thumbnail shows the whole photo at the wrong scale; patches of the photo show parts of it at the right scale. The
 * statistics of the thumbnail are corrected by the difference between those of the patches and of the same patches
 * downscaled (a control variate).
 *
 * @param grain what the network sees besides, or null.
 * @param pixels the approximate maximum number of pixels of the thumbnail, and of all patches together.
 * @param statistics returns the means, then the variances, of an RGBA image of the given width and height.
 */
internal class StyleTransferStatistics(
    private val photo: Bitmap,
    private val grain: StyleTransferGrain?,
    private val pixels: Int,
    private val statistics: (bytes: ByteBuffer, width: Int, height: Int) -> FloatArray,
) {
    private val scale = minOf(
        1.0,
        maxOf(
            sqrt(pixels / (photo.width.toDouble() * photo.height)),
            MIN_SIDE.toDouble() / minOf(photo.width, photo.height),
        ),
    )

    /** Returns the means, then the variances. */
    fun estimate(): FloatArray {
        val thumbnail = statisticsAtScale(photo.width, photo.height, scale) { y, colors ->
            photo.getPixels(colors, 0, photo.width, 0, y, photo.width, 1)
            grain?.addTo(colors, 0, y, photo.width)
        }
        val patches = Patches()
        if (scale == 1.0 || patches.rows * patches.columns < MIN_PATCHES) return thumbnail
        val fullScale = statisticsAtScale(patches.width, patches.height, 1.0, patches::readRow)
        val downscaled = statisticsAtScale(patches.width, patches.height, scale, patches::readRow)
        val channels = thumbnail.size / 2
        return FloatArray(thumbnail.size) { i ->
            if (i < channels) {
                thumbnail[i] + fullScale[i] - downscaled[i]
            } else {
                val ratio = (fullScale[i] + EPSILON) / (downscaled[i] + EPSILON)
                thumbnail[i] * ratio.coerceIn(1 / MAX_VARIANCE_RATIO, MAX_VARIANCE_RATIO)
            }
        }
    }

    /** Resizes an opaque image with a triangle filter, row by row, and returns the statistics of the result. */
    private fun statisticsAtScale(
        width: Int,
        height: Int,
        scale: Double,
        readRow: (y: Int, colors: IntArray) -> Unit,
    ): FloatArray {
        val columns = FilterTaps(width, (width * scale + 0.5).toInt())
        val rows = FilterTaps(height, (height * scale + 0.5).toInt())
        val colors = IntArray(width)
        val sums = FloatArray(width * 3)
        val resized = ByteBuffer.allocateDirect(columns.size * rows.size * 4).order(ByteOrder.nativeOrder())
        for (y in 0 until rows.size) {
            sums.fill(0f)
            rows.weights[y].forEachIndexed { tap, weight ->
                readRow(rows.first[y] + tap, colors)
                for (x in 0 until width) {
                    sums[3 * x] += weight * (colors[x] shr 16 and 255)
                    sums[3 * x + 1] += weight * (colors[x] shr 8 and 255)
                    sums[3 * x + 2] += weight * (colors[x] and 255)
                }
            }
            for (x in 0 until columns.size) {
                for (c in 0 until 3) {
                    var sum = 0.5f
                    columns.weights[x].forEachIndexed { tap, weight ->
                        sum += weight * sums[3 * (columns.first[x] + tap) + c]
                    }
                    resized.put(sum.toInt().toByte())
                }
                resized.put(-1)
            }
        }
        resized.rewind()
        return statistics(resized, columns.size, rows.size)
    }

    /** The filter taps of [size] output pixels: for each, the [first] of [length] input pixels, and the [weights]. */
    private class FilterTaps(length: Int, val size: Int) {
        private val step = length.toDouble() / size
        val first = IntArray(size) { maxOf(0, ((it + 0.5) * step - step + 0.5).toInt()) }
        val weights = Array(size) { i ->
            val center = (i + 0.5) * step
            val end = minOf(length, (center + step + 0.5).toInt())
            val triangle = DoubleArray(end - first[i]) { maxOf(0.0, 1 - abs((first[i] + it + 0.5 - center) / step)) }
            val sum = triangle.sum()
            FloatArray(triangle.size) { (triangle[it] / sum).toFloat() }
        }
    }

    /**
     * A mosaic of patches of the photo at full scale. They are cross-faded, because hard edges between them would
     * affect the statistics.
     */
    private inner class Patches {
        private val side = maxOf(PATCH_SIDE, ceil(MIN_DOWNSCALED_SIDE / scale).toInt())
        private val fraction = minOf(1.0, sqrt(pixels / (photo.width.toDouble() * photo.height)))
        private val patchWidth = minOf(side, photo.width)
        private val patchHeight = minOf(side, photo.height)
        private val fade = side / 4
        val columns = maxOf(1, (photo.width * fraction / side).toInt())
        val rows = maxOf(1, (photo.height * fraction / side).toInt())
        val width = columns * patchWidth
        val height = rows * patchHeight
        private val sums = IntArray(width * 3)
        private val patchRow = IntArray(patchWidth + 2 * fade)

        fun readRow(y: Int, colors: IntArray) {
            sums.fill(0)
            for (row in maxOf(0, y / patchHeight - 1)..minOf(rows - 1, y / patchHeight + 1)) {
                val vertical = fadeWeight(y, row, rows, patchHeight)
                if (vertical > 0) for (column in 0 until columns) addPatchRow(y, row, column, vertical)
            }
            val total = 16 * fade * fade
            for (x in 0 until width) {
                val red = (sums[3 * x] + total / 2) / total
                val green = (sums[3 * x + 1] + total / 2) / total
                val blue = (sums[3 * x + 2] + total / 2) / total
                colors[x] = (red shl 16) or (green shl 8) or blue
            }
        }

        /** Adds row [y] of one patch to the sums. Patches are jittered, since objects in photos are often in line. */
        private fun addPatchRow(y: Int, row: Int, column: Int, vertical: Int) {
            val cellTop = (row.toLong() * photo.height / rows).toInt()
            val cellLeft = (column.toLong() * photo.width / columns).toInt()
            val top = cellTop + jitter(photo.height / rows - patchHeight, column) - row * patchHeight
            val left = cellLeft + jitter(photo.width / columns - patchWidth, row) - column * patchWidth
            val start = maxOf(0, column * patchWidth - fade)
            val end = minOf(width, (column + 1) * patchWidth + fade)
            val first = (left + start).coerceIn(0, photo.width - 1)
            val last = (left + end - 1).coerceIn(0, photo.width - 1)
            val photoY = (top + y).coerceIn(0, photo.height - 1)
            photo.getPixels(patchRow, 0, patchRow.size, first, photoY, last - first + 1, 1)
            grain?.addTo(patchRow, first, photoY, last - first + 1)
            for (x in start until end) {
                val weight = vertical * fadeWeight(x, column, columns, patchWidth)
                val color = patchRow[(left + x).coerceIn(first, last) - first]
                sums[3 * x] += weight * (color shr 16 and 255)
                sums[3 * x + 1] += weight * (color shr 8 and 255)
                sums[3 * x + 2] += weight * (color and 255)
            }
        }

        /** Returns the weight of patch [index] of [count]. All weights at a position add up to 4 * [fade]. */
        private fun fadeWeight(position: Int, index: Int, count: Int, length: Int): Int {
            var weight = 4 * fade
            if (index > 0) weight = minOf(weight, 2 * (position - index * length + fade) + 1)
            if (index < count - 1) weight = minOf(weight, 2 * ((index + 1) * length + fade - position) - 1)
            return weight
        }

        /** Returns the offset of a patch in its cell of the photo, at most [maximum] pixels. */
        private fun jitter(maximum: Int, index: Int): Int =
            (maximum.toLong() * ((index * GOLDEN_RATIO + (1 shl 15)) and 65535) shr 16).toInt()
    }

    private companion object {
        const val MIN_SIDE = 16
        const val PATCH_SIDE = 128 // px; larger where a downscaled patch would be smaller than MIN_DOWNSCALED_SIDE
        const val MIN_DOWNSCALED_SIDE = 32 // px
        const val MIN_PATCHES = 16
        const val GOLDEN_RATIO = 40503 // times 65536; its multiples modulo 1 are evenly spread (Knuth, TAOCP 6.4)
        const val EPSILON = 1e-5f // of the network's instance norms
        const val MAX_VARIANCE_RATIO = 10f
    }
}
