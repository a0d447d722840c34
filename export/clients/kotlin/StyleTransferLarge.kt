// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import android.content.Context
import android.graphics.Bitmap
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

/**
 * Stylizes photos of any size in tiles. Apart from the photo and the result, memory use does not depend on their size.
 * Requires StyleTransfer.kt and all that it requires, and StyleTransferStatistics.kt.
 *
 * The photo's instance-norm statistics are estimated with `stats.onnx`, from a thumbnail and from patches of the photo.
 * `tile.onnx` then stylizes each tile with these statistics. Tiles overlap, so there are no seams.
 *
 * A photo smaller than a tile is padded by reflection, which changes its edges slightly. Use [StyleTransfer.stylize]
 * for small photos.
 *
 * Create one instance and reuse it. All functions are thread-safe. [stylizeLarge] blocks, and processes one photo at a
 * time, so call it off the main thread.
 *
 * @param threads the number of threads; the default, at most 4, leaves a typical phone's efficiency cores idle.
 */
class StyleTransferLarge private constructor(
    private val threads: Int,
    private val createSession: (OrtEnvironment, OrtSession.SessionOptions, String) -> OrtSession,
) : AutoCloseable {
    private val environment = createEnvironment()
    private val tile = openSession("tile.onnx")
    private val side = (tile.inputInfo.getValue("image").info as TensorInfo).shape[1].toInt()
    private val margin = tile.metadata.customMetadata.getValue("margin").toInt()
    private val multiple = tile.metadata.customMetadata.getValue("multiple").toInt()
    private val colors = IntArray(side)
    private val tileRow = ByteArray(side * 4)
    private val photoRow = ByteArray(side * 4)
    private val lock = ModelLock("StyleTransferLarge", trim = {}, close = { tile.close() })

    /** As [StyleTransfer.strokeResolution]. */
    val strokeResolution: Int? = strokeResolutionOf(tile)

    /** Loads the models `src/main/assets/`[stats] and `src/main/assets/`[tile]. */
    @JvmOverloads
    constructor(
        context: Context,
        stats: String = "stats.onnx",
        tile: String = "tile.onnx",
        threads: Int = defaultThreads(),
    ) : this(threads, { environment, options, name ->
        val asset = if (name == "tile.onnx") tile else stats
        environment.createSession(context.assets.open(asset).use { it.readBytes() }, options)
    })

    /** Loads two model files, such as ones that the app has downloaded. */
    @JvmOverloads
    constructor(
        stats: File,
        tile: File,
        threads: Int = defaultThreads(),
    ) : this(threads, { environment, options, name ->
        environment.createSession((if (name == "tile.onnx") tile else stats).path, options)
    })

    /**
     * Returns a stylized copy of [photo] with the same size and transparency: ARGB_8888, sRGB, mutable.
     *
     * @param photo a bitmap of any configuration and color space, at least 16 pixels wide and high. It is not modified.
     * @param strength how strongly to stylize, from 0 (the photo) to 1 (the full style).
     * @param keepColors whether to keep the photo's colors and transfer only the brush strokes.
     * @param mask a grayscale image of any size with the photo's aspect ratio. White areas are stylized, black and
     *   transparent areas keep the photo, and gray areas blend the two. An ALPHA_8 mask is read as its alpha.
     * @param invertMask whether to stylize the black areas instead of the white ones.
     * @param strokeResolution the short side, in pixels, at which the network runs, as for [StyleTransfer.stylize]. The
     *   default is the model's. null runs the network at the size of the photo.
     * @param thumbnailPixels the approximate maximum number of pixels of the thumbnail, and of all patches together. A
     *   larger value brings the result closer to that of [StyleTransfer.stylize], and uses more memory.
     * @param onProgress is called after each tile with the completed fraction, from 0 to 1.
     * @throws IllegalArgumentException if the photo is too small, the strength or the stroke resolution is out of range,
     *   or the mask has another aspect ratio.
     * @throws IllegalStateException if this object is closed.
     */
    @JvmOverloads
    fun stylizeLarge(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
        strokeResolution: Int? = this.strokeResolution,
        thumbnailPixels: Int = 1 shl 20,
        onProgress: (Float) -> Unit = {},
    ): Bitmap = lock.use {
        stylizeLocked(photo, strength, keepColors, mask, invertMask, strokeResolution, thumbnailPixels, onProgress)
    }

    /** As [StyleTransfer.close]. */
    override fun close() = lock.requestClose()

    private fun stylizeLocked(
        photo: Bitmap,
        strength: Float,
        keepColors: Boolean,
        mask: Bitmap?,
        invertMask: Boolean,
        strokeResolution: Int?,
        thumbnailPixels: Int,
        onProgress: (Float) -> Unit,
    ): Bitmap {
        require(photo.width >= MIN_SIDE && photo.height >= MIN_SIDE) {
            "The photo is ${photo.width}x${photo.height} pixels; it must be at least ${MIN_SIDE}x$MIN_SIDE"
        }
        checkStrokeResolution(strokeResolution)
        val controls = StyleTransferControls(strength, keepColors, mask, invertMask, photo.width, photo.height)
        require(thumbnailPixels >= 1) { "thumbnailPixels is $thumbnailPixels; it must be at least 1" }
        val result = copyAsSrgb(photo)
        if (strength == 0f) return result
        if (strokeResolution != null && strokeResolution < minOf(photo.width, photo.height)) {
            val strokes = StyleTransferStrokes(result, strokeResolution)
            val stylized = stylizeLocked(strokes.small, 1f, false, null, false, null, thumbnailPixels, onProgress)
            strokes.enlarge(stylized, result, controls)
            return result
        }
        val source = readable(photo) // tiles overlap, so read them from the photo, not from the result

        val statistics = estimateStatistics(source, thumbnailPixels)
        val pixels = allocate(side * side * 4)
        val stylized = allocate(side * side * 4)
        val shape = longArrayOf(1, side.toLong(), side.toLong(), 4)
        val rows = spans(source.height)
        val columns = spans(source.width)
        val statisticsShape = longArrayOf(2, statistics.size / 2L)
        OnnxTensor.createTensor(environment, FloatBuffer.wrap(statistics), statisticsShape).use { meansAndVariances ->
            OnnxTensor.createTensor(environment, pixels, shape, OnnxJavaType.UINT8).use { input ->
                OnnxTensor.createTensor(environment, stylized, shape, OnnxJavaType.UINT8).use { output ->
                    var done = 0
                    for (row in rows) {
                        for (column in columns) {
                            readTile(source, row.start, column.start, pixels)
                            val inputs = mapOf("image" to input, "statistics" to meansAndVariances)
                            tile.run(inputs, mapOf("stylized" to output)).close()
                            writeTile(stylized, source, result, row, column, controls)
                            onProgress(++done / (rows.size * columns.size).toFloat())
                        }
                    }
                }
            }
        }
        return result
    }

    private fun openSession(name: String): OrtSession = OrtSession.SessionOptions().use { options ->
        require(threads >= 1) { "threads is $threads; it must be at least 1" }
        options.setIntraOpNumThreads(threads)
        createSession(environment, options, name)
    }

    /** Estimates the statistics of all instance norms. `stats.onnx` is closed afterwards to free its memory. */
    private fun estimateStatistics(photo: Bitmap, pixels: Int): FloatArray = openSession("stats.onnx").use { stats ->
        StyleTransferStatistics(photo, pixels) { bytes, width, height ->
            val shape = longArrayOf(1, height.toLong(), width.toLong(), 4)
            OnnxTensor.createTensor(environment, bytes, shape, OnnxJavaType.UINT8).use { image ->
                stats.run(mapOf("image" to image)).use { result ->
                    val statistics = (result.get(0) as OnnxTensor).floatBuffer
                    FloatArray(statistics.remaining()).also { statistics.get(it) }
                }
            }
        }.estimate()
    }

    /** Fills [pixels] with the tile at row [top] and column [left] of the padded photo. */
    private fun readTile(photo: Bitmap, top: Int, left: Int, pixels: ByteBuffer) {
        val available = minOf(side, photo.width - left)
        pixels.rewind()
        for (y in 0 until side) {
            photo.getPixels(colors, 0, side, left, sourceIndex(top + y, photo.height), available, 1)
            for (x in 0 until side) {
                val index = if (x < available) x else sourceIndex(left + x, photo.width) - left
                unpack(colors[index], tileRow, 4 * x)
            }
            pixels.put(tileRow)
        }
        pixels.rewind()
    }

    /** Crops a stylized tile by its margins, blends it with the photo and writes it to [result]. */
    private fun writeTile(
        stylized: ByteBuffer,
        photo: Bitmap,
        result: Bitmap,
        row: Span,
        column: Span,
        controls: StyleTransferControls,
    ) {
        val count = column.end - column.first
        for (y in row.first until row.end) {
            stylized.position(((y - row.start) * side + column.first - column.start) * 4)
            stylized.get(tileRow, 0, count * 4)
            photo.getPixels(colors, 0, side, column.first, y, count, 1)
            for (x in 0 until count) unpack(colors[x], photoRow, 4 * x)
            controls.blend(photoRow, tileRow, y, column.first, count)
            for (x in 0 until count) colors[x] = pack(tileRow, 4 * x, alphaOf = colors[x])
            result.setPixels(colors, 0, side, column.first, y, count, 1)
        }
    }

    /** A tile along one axis: its [start], and the [first] pixel and exclusive [end] of its part of the result. */
    private class Span(val start: Int, val first: Int, val end: Int)

    private fun spans(length: Int): List<Span> {
        val last = maxOf(0, paddedLength(length) - side)
        val spans = mutableListOf<Span>()
        var start = 0
        var used = 0
        while (used < length) {
            val end = if (start == last) length else start + side - margin
            spans += Span(start, used, end)
            used = end
            start = minOf(start + side - 2 * margin, last)
        }
        return spans
    }

    /** Maps an index of the padded photo to the photo: edge padding to a multiple of [multiple], then reflection. */
    private fun sourceIndex(index: Int, length: Int): Int {
        val padded = paddedLength(length)
        val phase = index % (2 * padded - 2)
        return minOf(if (phase < padded) phase else 2 * padded - 2 - phase, length - 1)
    }

    private fun paddedLength(length: Int): Int = (length + multiple - 1) / multiple * multiple

    private companion object {
        /** Writes an ARGB color as four bytes from index [i]. */
        fun unpack(color: Int, rgba: ByteArray, i: Int) {
            rgba[i] = (color shr 16).toByte()
            rgba[i + 1] = (color shr 8).toByte()
            rgba[i + 2] = color.toByte()
            rgba[i + 3] = (color ushr 24).toByte()
        }

        /** Returns the ARGB color of the bytes from index [i], with the alpha of another color. */
        fun pack(rgba: ByteArray, i: Int, alphaOf: Int): Int {
            val red = rgba[i].toInt() and 255
            val green = rgba[i + 1].toInt() and 255
            val blue = rgba[i + 2].toInt() and 255
            return (alphaOf and (255 shl 24)) or (red shl 16) or (green shl 8) or blue
        }

        fun allocate(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())
    }
}
