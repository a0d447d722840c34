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
 * Create one instance and reuse it. [stylizeLarge] suspends, and can be called on the main thread; constructors and
 * [stylizeLargeBlocking] must not. All functions are thread-safe, and one photo is processed at a time. The network runs
 * on the CPU, since the statistics of a photo are an input that only ONNX Runtime's files have.
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
    private val grain = grainOf(tile)
    private val lock = ModelLock("StyleTransferLarge", trim = {}, close = { tile.close() })

    /** As [StyleTransfer.strokeResolution]. */
    val strokeResolution: Int = strokeResolutionOf(tile)

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
     * As [StyleTransfer.stylize], and as easily cancelled.
     *
     * @param strokeResolution as for [StyleTransfer.stylize]; null runs the network at the size of the photo, of any
     *   number of megapixels.
     * @param thumbnailPixels the approximate maximum number of pixels of the thumbnail, and of all patches together. A
     *   larger value brings the result closer to that of [StyleTransfer.stylize], and uses more memory.
     * @param onProgress is called after each tile with the completed fraction, from 0 to 1, on another thread.
     */
    suspend fun stylizeLarge(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
        strokeResolution: Int? = this.strokeResolution,
        into: Bitmap? = null,
        thumbnailPixels: Int = 1 shl 20,
        onProgress: (Float) -> Unit = {},
    ): Bitmap = cancellable { cancellation ->
        val settings = Settings(strokeResolution, thumbnailPixels, onProgress, cancellation)
        stylize(photo, strength, keepColors, mask, invertMask, into, settings)
    }

    /** As [stylizeLarge], on the calling thread, which must not be the main thread. */
    @JvmOverloads
    fun stylizeLargeBlocking(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
        strokeResolution: Int? = this.strokeResolution,
        into: Bitmap? = null,
        thumbnailPixels: Int = 1 shl 20,
        onProgress: (Float) -> Unit = {},
    ): Bitmap {
        val settings = Settings(strokeResolution, thumbnailPixels, onProgress, Cancellation())
        return stylize(photo, strength, keepColors, mask, invertMask, into, settings)
    }

    /** As [StyleTransfer.close]. */
    override fun close() = lock.requestClose()

    private class Settings(
        val strokeResolution: Int?,
        val thumbnailPixels: Int,
        val onProgress: (Float) -> Unit,
        val cancellation: Cancellation,
    )

    private fun stylize(
        photo: Bitmap,
        strength: Float,
        keepColors: Boolean,
        mask: Bitmap?,
        invertMask: Boolean,
        into: Bitmap?,
        settings: Settings,
    ): Bitmap = lock.use(settings.cancellation) {
        checkSize(photo)
        checkStrokeResolution(settings.strokeResolution)
        require(settings.thumbnailPixels >= 1) { "thumbnailPixels is ${settings.thumbnailPixels}; it must be at least 1" }
        val size = ImageSize(photo.width, photo.height)
        val controls = StyleTransferControls(strength, keepColors, mask, invertMask, size.width, size.height)
        val result = copyAsSrgb(photo, into)
        val reduced = size.reduced(settings.strokeResolution)
        when {
            controls.isPhoto -> {}
            reduced == size -> {
                val added = grain?.takeIf { settings.strokeResolution != null }
                runTiles(readable(photo), added, result, controls, settings) // tiles overlap: read the photo
            }
            else -> {
                val strokes = StyleTransferStrokes(result, reduced, settings.cancellation)
                val small = Bitmap.createBitmap(strokes.small, reduced.width, reduced.height, Bitmap.Config.ARGB_8888)
                val stylized = copyAsSrgb(small)
                val whole = StyleTransferControls(1f, false, null, false, reduced.width, reduced.height)
                runTiles(small, grain, stylized, whole, settings)
                val colors = strokes.small.copyOf()
                stylized.getPixels(colors, 0, reduced.width, 0, 0, reduced.width, reduced.height)
                strokes.enlarge(colors, result, controls)
            }
        }
        result
    }

    private fun runTiles(
        source: Bitmap,
        grain: StyleTransferGrain?,
        result: Bitmap,
        controls: StyleTransferControls,
        settings: Settings,
    ) {
        val statistics = estimateStatistics(source, grain, settings)
        val pixels = allocate(side * side * 4)
        val stylized = allocate(side * side * 4)
        val shape = longArrayOf(1, side.toLong(), side.toLong(), 4)
        val rows = spans(source.height)
        val columns = spans(source.width)
        val statisticsShape = longArrayOf(2, statistics.size / 2L)
        OnnxTensor.createTensor(environment, FloatBuffer.wrap(statistics), statisticsShape).use { meansAndVariances ->
            OnnxTensor.createTensor(environment, pixels, shape, OnnxJavaType.UINT8).use { input ->
                OnnxTensor.createTensor(environment, stylized, shape, OnnxJavaType.UINT8).use { output ->
                    val inputs = mapOf("image" to input, "statistics" to meansAndVariances)
                    var done = 0
                    for (row in rows) {
                        for (column in columns) {
                            readTile(source, grain, row.start, column.start, pixels)
                            tile.run(inputs, mapOf("stylized" to output), settings.cancellation)
                            writeTile(stylized, source, result, row, column, controls)
                            settings.onProgress(++done / (rows.size * columns.size).toFloat())
                        }
                    }
                }
            }
        }
    }

    private fun openSession(name: String): OrtSession =
        sessionOptions(threads).use { options -> createSession(environment, options, name) }

    /** Estimates the statistics of all instance norms. `stats.onnx` is closed afterwards to free its memory. */
    private fun estimateStatistics(photo: Bitmap, grain: StyleTransferGrain?, settings: Settings): FloatArray =
        openSession("stats.onnx").use { stats ->
            StyleTransferStatistics(photo, grain, settings.thumbnailPixels) { bytes, width, height ->
                val shape = longArrayOf(1, height.toLong(), width.toLong(), 4)
                OnnxTensor.createTensor(environment, bytes, shape, OnnxJavaType.UINT8).use { image ->
                    OrtSession.RunOptions().use { options ->
                        settings.cancellation.interruptible({ options.setTerminate(true) }) {
                            stats.run(mapOf("image" to image), options).use { result ->
                                val statistics = (result.get(0) as OnnxTensor).floatBuffer
                                FloatArray(statistics.remaining()).also { statistics.get(it) }
                            }
                        }
                    }
                }
            }.estimate()
        }

    /** Fills [pixels] with the tile at row [top] and column [left] of the padded photo. */
    private fun readTile(photo: Bitmap, grain: StyleTransferGrain?, top: Int, left: Int, pixels: ByteBuffer) {
        val available = minOf(side, photo.width - left)
        pixels.rewind()
        for (y in 0 until side) {
            val row = sourceIndex(top + y, photo.height)
            photo.getPixels(colors, 0, side, left, row, available, 1)
            grain?.addTo(colors, left, row, available)
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
    }
}
