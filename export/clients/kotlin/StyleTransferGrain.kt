// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import ai.onnxruntime.OrtSession
import java.nio.ByteBuffer
import kotlin.math.floor

/** The grain of a model, or null for one without. */
internal fun grainOf(session: OrtSession): StyleTransferGrain? {
    val levels = session.metadata.customMetadata["grain"]?.toDoubleOrNull() ?: return null
    return if (levels > 0 && levels <= MAX_GRAIN) StyleTransferGrain(levels) else null
}

/**
 * Adds smooth grain to photos, as `impasto-stylize` does, byte for byte: where a photo is flat, a network paints strokes
 * that follow the grain. The grain depends on the position alone, so it stands still in a video.
 *
 * @param levels the standard deviation of the grain, in levels of 255.
 */
internal class StyleTransferGrain(private val levels: Double) {
    private val added by lazy { ShortArray(SIDE * SIDE).also { scale(it) } }

    /** Adds the grain to an image of straight RGBA; alpha stays. */
    fun addTo(rgba: ByteBuffer, width: Int) {
        for (i in 0 until rgba.capacity() / 4) {
            val change = added[i / width % SIDE * SIDE + i % width % SIDE]
            for (k in 4 * i until 4 * i + 3) {
                rgba.put(k, ((rgba.get(k).toInt() and 255) + change).coerceIn(0, 255).toByte())
            }
        }
    }

    /** Adds the grain to the first [count] ARGB colors of a row from column [left] of row [y]. */
    fun addTo(colors: IntArray, left: Int, y: Int, count: Int) {
        for (i in 0 until count) {
            val change = added[y % SIDE * SIDE + (left + i) % SIDE]
            val color = colors[i]
            val red = ((color shr 16 and 255) + change).coerceIn(0, 255)
            val green = ((color shr 8 and 255) + change).coerceIn(0, 255)
            val blue = ((color and 255) + change).coerceIn(0, 255)
            colors[i] = (color and (255 shl 24)) or (red shl 16) or (green shl 8) or blue
        }
    }

    private fun scale(added: ShortArray) {
        var sums = IntArray(added.size) { 2 * (hash(FIRST + it) ushr 24) - 255 }
        for (width in WIDTHS) {
            sums = movingSums(movingSums(sums, SIDE, 1, width / 2), 1, SIDE, width / 2)
        }
        for (i in added.indices) {
            val grain = Math.floorDiv(sums[i] + SUM / 2, SUM).coerceIn(-127, 127)
            added[i] = floor(levels / UNIT * grain + 0.5).toInt().toShort()
        }
    }

    private companion object {
        const val SIDE = 512 // px after which the grain repeats
        const val UNIT = 32 // the standard deviation before it is scaled
        const val SUM = 11539 // of the sums, is 1 then
        const val FIRST = 141 * SIDE * SIDE // the first number that is hashed
        val WIDTHS = intArrayOf(3, 3, 3, 5) // px, of the moving averages: together nearly a Gaussian filter

        /** Adds up 2 [radius] + 1 values around each one along an axis, whose ends continue each other. */
        fun movingSums(values: IntArray, along: Int, across: Int, radius: Int): IntArray {
            val sums = IntArray(values.size)
            for (line in 0 until SIDE) {
                for (i in 0 until SIDE) {
                    var sum = 0
                    for (shift in -radius..radius) sum += values[line * across + (i + shift + SIDE) % SIDE * along]
                    sums[line * across + i * along] = sum
                }
            }
            return sums
        }

        /** The 32-bit finalizer of MurmurHash3 (Appleby 2011). */
        fun hash(number: Int): Int {
            var bits = (number xor (number ushr 16)) * 0x85EBCA6B.toInt()
            bits = (bits xor (bits ushr 13)) * 0xC2B2AE35.toInt()
            return bits xor (bits ushr 16)
        }
    }
}

private const val MAX_GRAIN = 32.0 // levels, as in impasto-stylize
