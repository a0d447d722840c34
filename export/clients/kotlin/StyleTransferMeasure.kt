package impasto

import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.sqrt

/**
 * Estimates the statistics of a large photo from a small copy and pieces of full size, as `impasto-stylize` does with
 * `tiles.statistics=thumbnail`.
 *
 * The copy shows the whole photo at the wrong scale; the pieces show parts at the right scale. So the statistics of
 * the copy are corrected by the difference between those of the pieces and of the same pieces downscaled.
 *
 * @param pixels the approximate maximum number of pixels of the copy, and of all pieces together.
 * @param statistics returns means, then variances, of RGBA bytes of a width and a height.
 */
internal class StyleTransferMeasure(
    private val photo: Bitmap,
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

    fun measure(): FloatArray {
        val copy = reduced(photo.width, photo.height, scale) { y, line ->
            photo.getPixels(line, 0, photo.width, 0, y, photo.width, 1)
        }
        val pieces = Pieces()
        if (scale == 1.0 || pieces.rows * pieces.columns < FEW) return copy
        val sharp = reduced(pieces.width, pieces.height, 1.0, pieces::read)
        val small = reduced(pieces.width, pieces.height, scale, pieces::read)
        val half = copy.size / 2
        return FloatArray(copy.size) { i ->
            if (i < half) {
                copy[i] + sharp[i] - small[i]
            } else {
                copy[i] * ((sharp[i] + EPSILON) / (small[i] + EPSILON)).coerceIn(1 / MOST, MOST)
            }
        }
    }

    /** The statistics of an opaque image at another scale: each pixel is a weighted mean of the pixels around it. */
    private fun reduced(width: Int, height: Int, scale: Double, read: (y: Int, line: IntArray) -> Unit): FloatArray {
        val columns = Taps(width, (width * scale + 0.5).toInt())
        val rows = Taps(height, (height * scale + 0.5).toInt())
        val line = IntArray(width)
        val sums = FloatArray(width * 3)
        val result = ByteBuffer.allocateDirect(columns.size * rows.size * 4).order(ByteOrder.nativeOrder())
        for (y in 0 until rows.size) {
            sums.fill(0f)
            rows.weights[y].forEachIndexed { number, weight ->
                read(rows.first[y] + number, line)
                for (x in 0 until width) {
                    sums[3 * x] += weight * (line[x] shr 16 and 255)
                    sums[3 * x + 1] += weight * (line[x] shr 8 and 255)
                    sums[3 * x + 2] += weight * (line[x] and 255)
                }
            }
            for (x in 0 until columns.size) {
                for (c in 0 until 3) {
                    var sum = 0.5f
                    columns.weights[x].forEachIndexed { number, weight ->
                        sum += weight * sums[3 * (columns.first[x] + number) + c]
                    }
                    result.put(sum.toInt().toByte())
                }
                result.put(-1)
            }
        }
        result.rewind()
        return statistics(result, columns.size, rows.size)
    }

    /** For each of [size] output positions: the first of its [length] input positions, and the weights. */
    private class Taps(length: Int, val size: Int) {
        private val step = length.toDouble() / size
        val first = IntArray(size) { maxOf(0, ((it + 0.5) * step - step + 0.5).toInt()) }
        val weights = Array(size) { at ->
            val middle = (at + 0.5) * step
            val end = minOf(length, (middle + step + 0.5).toInt())
            val found = DoubleArray(end - first[at]) { maxOf(0.0, 1 - abs((first[at] + it + 0.5 - middle) / step)) }
            val whole = found.sum()
            FloatArray(found.size) { (found[it] / whole).toFloat() }
        }
    }

    /**
     * Pieces from all over the photo, side by side. They are cross-faded: edges between them would count as edges of
     * the photo.
     */
    private inner class Pieces {
        private val side = maxOf(PIECE, ceil(SMALL / scale).toInt())
        private val part = minOf(1.0, sqrt(pixels / (photo.width.toDouble() * photo.height)))
        private val across = minOf(side, photo.width)
        private val down = minOf(side, photo.height)
        private val reach = side / 4
        val columns = maxOf(1, (photo.width * part / side).toInt())
        val rows = maxOf(1, (photo.height * part / side).toInt())
        val width = columns * across
        val height = rows * down
        private val sums = IntArray(width * 3)
        private val taken = IntArray(across + 2 * reach)

        fun read(y: Int, line: IntArray) {
            sums.fill(0)
            for (row in maxOf(0, y / down - 1)..minOf(rows - 1, y / down + 1)) {
                val vertical = weight(y, row, rows, down)
                if (vertical > 0) for (column in 0 until columns) add(y, row, column, vertical)
            }
            val whole = 16 * reach * reach
            for (x in 0 until width) {
                val red = (sums[3 * x] + whole / 2) / whole
                val green = (sums[3 * x + 1] + whole / 2) / whole
                val blue = (sums[3 * x + 2] + whole / 2) / whole
                line[x] = (red shl 16) or (green shl 8) or blue
            }
        }

        /** Each lies in its own cell, but not aligned with its neighbors, as objects in photos often are. */
        private fun add(y: Int, row: Int, column: Int, vertical: Int) {
            val top = cell(row, rows, photo.height) + within(photo.height / rows - down, column) - row * down
            val left = cell(column, columns, photo.width) + within(photo.width / columns - across, row) - column * across
            val start = maxOf(0, column * across - reach)
            val end = minOf(width, (column + 1) * across + reach)
            val first = (left + start).coerceIn(0, photo.width - 1)
            val last = (left + end - 1).coerceIn(0, photo.width - 1)
            photo.getPixels(taken, 0, taken.size, first, (top + y).coerceIn(0, photo.height - 1), last - first + 1, 1)
            for (x in start until end) {
                val weight = vertical * weight(x, column, columns, across)
                val color = taken[(left + x).coerceIn(first, last) - first]
                sums[3 * x] += weight * (color shr 16 and 255)
                sums[3 * x + 1] += weight * (color shr 8 and 255)
                sums[3 * x + 2] += weight * (color and 255)
            }
        }

        /** The weight, of 4 * reach, of piece [number] of [count] at a position; all weights there add up to it. */
        private fun weight(at: Int, number: Int, count: Int, side: Int): Int {
            var found = 4 * reach
            if (number > 0) found = minOf(found, 2 * (at - number * side + reach) + 1)
            if (number < count - 1) found = minOf(found, 2 * ((number + 1) * side + reach - at) - 1)
            return found
        }

        private fun cell(number: Int, count: Int, length: Int): Int = (number.toLong() * length / count).toInt()

        private fun within(room: Int, number: Int): Int =
            (room.toLong() * ((number * GOLDEN + (1 shl 15)) and 65535) shr 16).toInt()
    }

    private companion object {
        const val MIN_SIDE = 16
        const val PIECE = 128 // pixels a side, and no less than SMALL once made small
        const val SMALL = 32
        const val FEW = 16
        const val GOLDEN = 40503 // of 65536: multiples of the golden ratio lie evenly, whatever their number (Knuth, 6.4)
        const val EPSILON = 1e-5f // of the norms
        const val MOST = 10f // times that a variance is changed
    }
}
