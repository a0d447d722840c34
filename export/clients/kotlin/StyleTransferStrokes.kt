// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.sin

/**
 * Stylizes a photo at the style's stroke resolution, as `impasto-stylize` does: the network stylizes [small], a copy of
 * the photo, and [enlarge] brings the result to the photo's size and restores the photo's detail.
 *
 * The detail is what the small copy lacks of the photo's luminance. It is added with a gain, the coefficient a of the
 * guided filter (He et al. 2013, eq. 5), which is how strongly the stylized copy follows the photo.
 *
 * @param photo a readable bitmap.
 * @param size the size of the copy. Networks of fixed sizes may take a copy of another aspect ratio, or a larger one.
 */
internal class StyleTransferStrokes(
    private val photo: Bitmap,
    size: ImageSize,
    private val cancellation: Cancellation,
) {
    private val width = photo.width
    private val height = photo.height
    private val smallWidth = size.width
    private val smallHeight = size.height

    /** The ARGB colors of the copy to stylize, which is opaque. */
    val small: IntArray = reducedColors()

    /** Writes the enlarged copy, of ARGB [colors], to [result], which has the photo's size and may be the photo. */
    fun enlarge(colors: IntArray, result: Bitmap, controls: StyleTransferControls) {
        val light = luminance(colors)
        val smallLight = luminance(small)
        val gains = Enlarger(listOf(gain(light, smallLight)), 1.0, ::triangle)
        val planes = Enlarger(softened(colors, light) + smallLight, 2.0, ::cubic)
        val line = IntArray(width)
        val photoRow = ByteArray(width * 4)
        val row = ByteArray(width * 4)
        for (y in 0 until height) {
            cancellation.check()
            val gain = gains.row(y)[0]
            val (red, green, blue, blurred) = planes.row(y)
            photo.getPixels(line, 0, width, 0, y, width, 1)
            for (x in 0 until width) {
                val color = line[x]
                val detail = gain[x] * (luminance(color) - blurred[x])
                photoRow[4 * x] = (color shr 16).toByte()
                photoRow[4 * x + 1] = (color shr 8).toByte()
                photoRow[4 * x + 2] = color.toByte()
                row[4 * x] = toByte(red[x] + detail)
                row[4 * x + 1] = toByte(green[x] + detail)
                row[4 * x + 2] = toByte(blue[x] + detail)
            }
            controls.blend(photoRow, row, y, 0, width)
            for (x in 0 until width) {
                val rgb = (row.at(4 * x) shl 16) or (row.at(4 * x + 1) shl 8) or row.at(4 * x + 2)
                line[x] = (line[x] and (255 shl 24)) or rgb
            }
            result.setPixels(line, 0, width, 0, y, width, 1)
        }
    }

    /** Resizes the photo with an antialiased Lanczos filter: first its rows, then its columns. */
    private fun reducedColors(): IntArray {
        val columns = FilterTaps(width, smallWidth, 3.0, ::lanczos)
        val rows = FilterTaps(height, smallHeight, 3.0, ::lanczos)
        val narrow = ByteArray(smallWidth * height * 3)
        val colors = IntArray(width)
        var i = 0
        for (y in 0 until height) {
            cancellation.check()
            photo.getPixels(colors, 0, width, 0, y, width, 1)
            for (x in 0 until smallWidth) {
                val first = columns.first[x]
                val weights = columns.weights[x]
                var red = 0f
                var green = 0f
                var blue = 0f
                for (tap in weights.indices) {
                    val color = colors[first + tap]
                    red += weights[tap] * (color shr 16 and 255)
                    green += weights[tap] * (color shr 8 and 255)
                    blue += weights[tap] * (color and 255)
                }
                narrow[i++] = toByte(red)
                narrow[i++] = toByte(green)
                narrow[i++] = toByte(blue)
            }
        }
        val reduced = IntArray(smallWidth * smallHeight)
        val sums = FloatArray(smallWidth * 3)
        for (y in 0 until smallHeight) {
            sums.fill(0f)
            rows.weights[y].forEachIndexed { tap, weight ->
                val start = (rows.first[y] + tap) * sums.size
                for (k in sums.indices) sums[k] += weight * narrow.at(start + k)
            }
            for (x in 0 until smallWidth) {
                var color = 255
                for (k in 3 * x until 3 * x + 3) color = (color shl 8) or (toByte(sums[k]).toInt() and 255)
                reduced[y * smallWidth + x] = color
            }
        }
        return reduced
    }

    /**
     * Returns red, green and blue of the stylized copy with pixel-scale grids and color fringes attenuated, which
     * enlarging would make visible.
     */
    private fun softened(colors: IntArray, light: FloatArray): List<FloatArray> {
        val amount = (height.toFloat() / smallHeight - 1).coerceIn(0f, 1f)
        val softLight = blurred(light, amount / 8)
        return listOf(16, 8, 0).map { shift ->
            val chroma = FloatArray(light.size) { (colors[it] shr shift and 255) - light[it] }
            val soft = blurred(blurred(chroma, amount / 4), amount / 4)
            for (i in soft.indices) soft[i] += softLight[i]
            soft
        }
    }

    /** Convolves with [weight], 1 - 2 [weight], [weight] along both axes; the edges are replicated. */
    private fun blurred(values: FloatArray, weight: Float): FloatArray = alongBothAxes(values) { line, output ->
        val last = line.size - 1
        for (i in 0..last) {
            output[i] = line[i] * (1 - 2 * weight) + (line[maxOf(i - 1, 0)] + line[minOf(i + 1, last)]) * weight
        }
    }

    /** Returns the mean over a square of 2 [RADIUS] + 1 px around each pixel, clipped to the image at its border. */
    private fun boxMean(values: FloatArray): FloatArray = alongBothAxes(values) { line, output ->
        var sum = 0.0
        for (i in 0 until minOf(RADIUS, line.size)) sum += line[i]
        for (i in line.indices) {
            if (i + RADIUS < line.size) sum += line[i + RADIUS]
            if (i > RADIUS) sum -= line[i - RADIUS - 1]
            output[i] = (sum / (minOf(i + RADIUS + 1, line.size) - maxOf(i - RADIUS, 0))).toFloat()
        }
    }

    /** Filters the columns of a plane of the small copy, and then its rows. */
    private fun alongBothAxes(values: FloatArray, filter: (FloatArray, FloatArray) -> Unit): FloatArray {
        val result = values.copyOf()
        for ((length, stride) in listOf(smallHeight to smallWidth, smallWidth to 1)) {
            val line = FloatArray(length)
            val output = FloatArray(length)
            for (number in 0 until result.size / length) {
                val start = if (stride == 1) number * length else number
                for (i in 0 until length) line[i] = result[start + i * stride]
                filter(line, output)
                for (i in 0 until length) result[start + i * stride] = output[i]
            }
        }
        return result
    }

    /** Returns the guided filter's coefficient a of two luminances, clipped to -1..1 and averaged. */
    private fun gain(stylized: FloatArray, guide: FloatArray): FloatArray {
        val guideMean = boxMean(guide)
        val stylizedMean = boxMean(stylized)
        val squares = boxMean(FloatArray(guide.size) { guide[it] * guide[it] })
        val products = boxMean(FloatArray(guide.size) { guide[it] * stylized[it] })
        return boxMean(FloatArray(guide.size) {
            val variance = squares[it] - guideMean[it] * guideMean[it]
            val covariance = products[it] - guideMean[it] * stylizedMean[it]
            (covariance / (variance + SMOOTH)).coerceIn(-1f, 1f)
        })
    }

    /** Enlarges planes of the small copy to the photo's size, row by row from the top. */
    private inner class Enlarger(
        private val planes: List<FloatArray>,
        radius: Double,
        filter: (Double) -> Double,
    ) {
        private val columns = FilterTaps(smallWidth, width, radius, filter)
        private val rows = FilterTaps(smallHeight, height, radius, filter)
        private val wide = List(planes.size) { Array(rows.weights.maxOf { it.size }) { FloatArray(width) } } // a ring
        private val output = List(planes.size) { FloatArray(width) }
        private var ready = 0 // rows of the small copy that were enlarged

        /** Returns row [y] of each plane; the arrays are reused for the next row. */
        fun row(y: Int): List<FloatArray> {
            val weights = rows.weights[y]
            while (ready < rows.first[y] + weights.size) enlargeRow(ready++)
            for ((plane, sums) in wide.zip(output)) {
                sums.fill(0f)
                weights.forEachIndexed { tap, weight ->
                    val line = plane[(rows.first[y] + tap) % plane.size]
                    for (x in sums.indices) sums[x] += weight * line[x]
                }
            }
            return output
        }

        private fun enlargeRow(y: Int) {
            for ((values, plane) in planes.zip(wide)) {
                val line = plane[y % plane.size]
                for (x in line.indices) {
                    val first = y * smallWidth + columns.first[x]
                    val weights = columns.weights[x]
                    var sum = 0f
                    for (tap in weights.indices) sum += weights[tap] * values[first + tap]
                    line[x] = sum
                }
            }
        }
    }

    /** The taps of [size] output pixels: for each, the [first] of [length] input pixels, and the [weights]. */
    private class FilterTaps(length: Int, size: Int, radius: Double, filter: (Double) -> Double) {
        private val step = length.toDouble() / size
        private val stretch = maxOf(step, 1.0)
        val first = IntArray(size) { maxOf(0, ((it + 0.5) * step - radius * stretch + 0.5).toInt()) }
        val weights = Array(size) { i ->
            val center = (i + 0.5) * step
            val end = minOf(length, (center + radius * stretch + 0.5).toInt())
            val values = DoubleArray(end - first[i]) { filter((first[i] + it + 0.5 - center) / stretch) }
            val sum = values.sum()
            FloatArray(values.size) { (values[it] / sum).toFloat() }
        }
    }

    private companion object {
        const val RADIUS = 4 // px of the small copy: about the width of a stroke
        const val SMOOTH = 100f // squared levels of variance: below it the photo counts as smooth

        fun ByteArray.at(i: Int): Int = this[i].toInt() and 255

        fun toByte(value: Float): Byte = (value.coerceIn(0f, 255f) + 0.5f).toInt().toByte()

        /** Luma Y of ITU-R BT.601. */
        fun luminance(color: Int): Float =
            0.299f * (color shr 16 and 255) + 0.587f * (color shr 8 and 255) + 0.114f * (color and 255)

        fun luminance(colors: IntArray) = FloatArray(colors.size) { luminance(colors[it]) }

        fun triangle(x: Double): Double = maxOf(0.0, 1 - abs(x))

        /** Keys' cubic convolution with a = -0.5, as in Pillow. */
        fun cubic(x: Double): Double {
            val t = abs(x)
            return if (t < 1) (1.5 * t - 2.5) * t * t + 1 else if (t < 2) ((-0.5 * t + 2.5) * t - 4) * t + 2 else 0.0
        }

        fun lanczos(x: Double): Double = if (abs(x) < 3) sinc(x) * sinc(x / 3) else 0.0

        private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(PI * x) / (PI * x)
    }
}
