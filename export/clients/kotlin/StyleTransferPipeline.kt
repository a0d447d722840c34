// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import java.nio.ByteBuffer

internal fun checkSize(photo: Bitmap) = require(photo.width >= MIN_SIDE && photo.height >= MIN_SIDE) {
    "The photo is ${photo.width}x${photo.height} pixels; it must be at least ${MIN_SIDE}x$MIN_SIDE"
}

/** From a photo to its stylized copy, one at a time. */
internal class Pipeline(private val accelerators: Accelerators) {
    private var buffers: Buffers? = null

    fun stylize(
        photo: Bitmap,
        controls: StyleTransferControls,
        strokeResolution: Int?,
        into: Bitmap?,
        cancellation: Cancellation,
    ): Bitmap {
        val result = copyAsSrgb(photo, into)
        if (controls.isPhoto) return result
        val size = ImageSize(result.width, result.height)
        try {
            accelerators.run(native = strokeResolution == null) { network ->
                val wanted = size.reduced(strokeResolution)
                val used = network.sizes.minByOrNull { wanted.distance(it) } ?: wanted
                val grain = accelerators.grain?.takeIf { strokeResolution != null }
                if (used == size) {
                    runWhole(network, result, controls, grain, cancellation)
                } else {
                    runReduced(network, used, result, controls, grain, cancellation)
                }
            }
        } finally {
            if (buffers?.isLarge == true) buffers = null
        }
        return result
    }

    fun trim() {
        buffers = null
        accelerators.trim()
    }

    /** Runs the network on a copy of another size, and brings the result to the size of the photo. */
    private fun runReduced(
        network: Network,
        size: ImageSize,
        photo: Bitmap,
        controls: StyleTransferControls,
        grain: StyleTransferGrain?,
        cancellation: Cancellation,
    ) {
        val strokes = StyleTransferStrokes(photo, size, cancellation)
        val buffers = buffersFor(size)
        writeColors(strokes.small, buffers.photo)
        grain?.addTo(buffers.photo, size.width)
        network.run(buffers.photo, buffers.stylized, size, cancellation)
        val colors = readColors(buffers.stylized)
        if (buffers.isLarge) this.buffers = null
        strokes.enlarge(colors, photo, controls)
    }

    private fun runWhole(
        network: Network,
        photo: Bitmap,
        controls: StyleTransferControls,
        grain: StyleTransferGrain?,
        cancellation: Cancellation,
    ) {
        val size = ImageSize(photo.width, photo.height)
        val premultiplied = photo.hasAlpha() && photo.isPremultiplied
        val buffers = buffersFor(size)
        readPhoto(photo, premultiplied, buffers.photo)
        grain?.addTo(buffers.photo, size.width)
        network.run(buffers.photo, buffers.stylized, size, cancellation)
        if (!controls.isIdentity || premultiplied) {
            if (grain != null) readPhoto(photo, premultiplied, buffers.photo) // without grain
            blend(buffers, photo.width, controls, premultiplied)
        }
        buffers.stylized.rewind()
        photo.copyPixelsFromBuffer(buffers.stylized)
    }

    /** Returns the buffers of the previous photo if it had the same size, otherwise new ones. */
    private fun buffersFor(size: ImageSize): Buffers {
        buffers?.let { if (it.size == size) return it }
        buffers = null
        return Buffers(size).also { buffers = it }
    }

    /** The network's input and output. */
    private class Buffers(val size: ImageSize) {
        val photo = allocate(size.pixels * 4)
        val stylized = allocate(size.pixels * 4)
        val isLarge = size.pixels > MAX_KEPT_PIXELS
    }

    private companion object {
        const val MAX_KEPT_PIXELS = 1920 * 1088 // a frame of a video: 17 MB of buffers

        /** Blends the photo into the stylized image by the controls, row by row; optionally premultiplies the result. */
        fun blend(buffers: Buffers, width: Int, controls: StyleTransferControls, premultiply: Boolean) {
            val photoRow = ByteArray(width * 4)
            val stylizedRow = ByteArray(width * 4)
            for (y in 0 until buffers.size.height) {
                read(buffers.photo, y, photoRow)
                read(buffers.stylized, y, stylizedRow)
                controls.blend(photoRow, stylizedRow, y, 0, width)
                if (premultiply) multiplyByAlpha(stylizedRow)
                buffers.stylized.position(y * stylizedRow.size)
                buffers.stylized.put(stylizedRow)
            }
        }

        /** Reads a photo as straight RGBA. */
        fun readPhoto(photo: Bitmap, premultiplied: Boolean, rgba: ByteBuffer) {
            rgba.rewind()
            photo.copyPixelsToBuffer(rgba)
            if (premultiplied) divideByAlpha(rgba)
        }

        fun read(pixels: ByteBuffer, y: Int, row: ByteArray) {
            pixels.position(y * row.size)
            pixels.get(row)
        }
    }
}
