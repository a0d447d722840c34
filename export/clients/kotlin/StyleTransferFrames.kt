// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import kotlin.math.abs
import kotlin.math.exp

/**
 * Stylizes the frames of a camera or a video with less flicker.
 *
 * Where a frame shows what the previous one showed, the previous result is mixed in, as `impasto-stylize` does with
 * `temporal_smoothing`. Here motion is not followed: what moves is not mixed.
 *
 * One frame at a time, from one coroutine or thread. Three results are reused in turn: show or copy a result before
 * the next but one.
 *
 * @param style is not closed with this object.
 * @param strength as for [StyleTransfer.stylize].
 * @param keepColors as for [StyleTransfer.stylize].
 * @param strokeResolution as for [StyleTransfer.stylize]; smaller is faster.
 * @param temporalSmoothing how much of the previous result is mixed in, from 0 to 0.95.
 */
class StyleTransferFrames @JvmOverloads constructor(
    private val style: StyleTransfer,
    private val strength: Float = 1f,
    private val keepColors: Boolean = false,
    private val strokeResolution: Int? = style.strokeResolution,
    temporalSmoothing: Float = 0.7f,
) {
    private val filter = TemporalFilter(temporalSmoothing)
    private val results = arrayOfNulls<Bitmap>(RESULTS)
    private var count = 0

    init {
        require(temporalSmoothing in 0f..0.95f) { "temporalSmoothing is $temporalSmoothing; it must be from 0 to 0.95" }
    }

    /** Returns the stylized [frame]. */
    suspend fun stylize(frame: Bitmap): Bitmap {
        val into = nextResult(frame)
        style.stylize(frame, strength, keepColors, strokeResolution = strokeResolution, into = into)
        filter.apply(frame, into)
        return into
    }

    /** As [stylize], on the calling thread, which must not be the main thread. */
    fun stylizeBlocking(frame: Bitmap): Bitmap {
        val into = nextResult(frame)
        style.stylizeBlocking(frame, strength, keepColors, strokeResolution = strokeResolution, into = into)
        filter.apply(frame, into)
        return into
    }

    /** Forgets the previous frame, for example where the camera or the video changes. */
    fun reset() = filter.reset()

    private fun nextResult(frame: Bitmap): Bitmap {
        val i = count++ % RESULTS
        results[i]?.let { if (it.width == frame.width && it.height == frame.height) return it }
        return Bitmap.createBitmap(frame.width, frame.height, Bitmap.Config.ARGB_8888).also { results[i] = it }
    }

    private companion object {
        const val RESULTS = 3
    }
}

/**
 * A recursive filter over stylized frames: y = x + amount * c * (y' - x), of the stylized frame x, the previous result y'
 * and the confidence c, 0..1, that both frames show the same thing. c is computed for blocks of pixels.
 */
internal class TemporalFilter(private val amount: Float) {
    private var width = 0
    private var height = 0
    private var previous = IntArray(0) // the result
    private var blocks = FloatArray(0) // mean red, green and blue of the previous frame
    private var isFirst = true

    fun reset() {
        isFirst = true
    }

    /** Mixes the previous result into [stylized], of which [frame] is the photo. */
    fun apply(frame: Bitmap, stylized: Bitmap) {
        if (amount == 0f) return
        if (frame.width != width || frame.height != height) {
            width = frame.width
            height = frame.height
            previous = IntArray(width * height)
            isFirst = true
        }
        val current = blockMeans(readable(frame))
        val weights = if (isFirst) null else confidence(current)
        val line = IntArray(width)
        for (y in 0 until height) {
            stylized.getPixels(line, 0, width, 0, y, width, 1)
            if (weights != null) {
                for (x in 0 until width) line[x] = mix(line[x], previous[y * width + x], weightAt(weights, x, y))
                stylized.setPixels(line, 0, width, 0, y, width, 1)
            }
            line.copyInto(previous, y * width)
        }
        blocks = current
        isFirst = false
    }

    private val columns get() = (width + BLOCK - 1) / BLOCK
    private val rows get() = (height + BLOCK - 1) / BLOCK

    private fun blockMeans(frame: Bitmap): FloatArray {
        val means = FloatArray(columns * rows * 3)
        val line = IntArray(width)
        for (y in 0 until height) {
            frame.getPixels(line, 0, width, 0, y, width, 1)
            val scale = 1f / (minOf(BLOCK, height - y / BLOCK * BLOCK))
            for (x in 0 until width) {
                val i = (y / BLOCK * columns + x / BLOCK) * 3
                val weight = scale / minOf(BLOCK, width - x / BLOCK * BLOCK)
                means[i] += weight * (line[x] shr 16 and 255)
                means[i + 1] += weight * (line[x] shr 8 and 255)
                means[i + 2] += weight * (line[x] and 255)
            }
        }
        return means
    }

    /** Returns the confidence of each block: the least of its neighborhood, so that nothing trails what moves. */
    private fun confidence(current: FloatArray): FloatArray {
        val change = FloatArray(columns * rows) { i ->
            (0..2).sumOf { abs(current[3 * i + it] - blocks[3 * i + it]).toDouble() }.toFloat() / 3 / NOISE
        }
        return FloatArray(columns * rows) { i ->
            var largest = 0f
            for (y in maxOf(0, i / columns - 1)..minOf(rows - 1, i / columns + 1)) {
                for (x in maxOf(0, i % columns - 1)..minOf(columns - 1, i % columns + 1)) {
                    largest = maxOf(largest, change[y * columns + x])
                }
            }
            exp(-largest * largest)
        }
    }

    /** Interpolates the blocks' weights bilinearly; 256 is [amount] 1. */
    private fun weightAt(weights: FloatArray, x: Int, y: Int): Int {
        val across = ((x + 0.5f) / BLOCK - 0.5f).coerceIn(0f, columns - 1f)
        val down = ((y + 0.5f) / BLOCK - 0.5f).coerceIn(0f, rows - 1f)
        val left = across.toInt()
        val top = down.toInt()
        val right = minOf(left + 1, columns - 1)
        val bottom = minOf(top + 1, rows - 1)
        val upper = weights[top * columns + left] * (1 - (across - left)) + weights[top * columns + right] * (across - left)
        val lower =
            weights[bottom * columns + left] * (1 - (across - left)) + weights[bottom * columns + right] * (across - left)
        return (256 * amount * (upper * (1 - (down - top)) + lower * (down - top)) + 0.5f).toInt()
    }

    private fun mix(color: Int, before: Int, weight: Int): Int {
        var result = color ushr 24
        for (shift in 16 downTo 0 step 8) {
            val value = (color shr shift and 255) * (256 - weight) + (before shr shift and 255) * weight
            result = (result shl 8) or ((value + 128) shr 8)
        }
        return result
    }

    private companion object {
        const val BLOCK = 8 // px
        const val NOISE = 12f // levels: two frames that differ by more show different things, as in impasto-stylize
    }
}
