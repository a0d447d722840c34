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
 * Stylizes photos of any size in tiles: beside the photo and its copy, the memory is the same for every size.
 * Requires StyleTransfer.kt, StyleTransferControls.kt and StyleTransferMeasure.kt beside it.
 *
 * It measures a small copy and some pieces of the photo with `stats.onnx`, then runs `tile.onnx` on each tile,
 * with the statistics of the whole photo and with a margin, so that there are no seams.
 *
 * A photo that is narrower than a tile is extended by reflection, which changes its edge slightly: use
 * [StyleTransfer.stylize] for small photos.
 *
 * Create one instance and reuse it. Every function may be called from any thread, works on one photo at a time and
 * blocks, so call it off the main thread.
 *
 * @param threads the number of cores to use; the default leaves the small cores of a typical phone idle.
 */
class StyleTransferLarge private constructor(
    private val threads: Int,
    private val open: (OrtEnvironment, OrtSession.SessionOptions, String) -> OrtSession,
) : AutoCloseable {
    private val environment = quietEnvironment()
    private val tile = opened("tile.onnx")
    private val side = (tile.inputInfo.getValue("image").info as TensorInfo).shape[1].toInt()
    private val margin = tile.metadata.customMetadata.getValue("margin").toInt()
    private val multiple = tile.metadata.customMetadata.getValue("multiple").toInt()
    private val line = IntArray(side)
    private val bytes = ByteArray(side * 4)
    private val own = ByteArray(side * 4)
    private var closed = false

    /** Opens `src/main/assets/`[stats] and [tile]. */
    constructor(
        context: Context,
        stats: String = "stats.onnx",
        tile: String = "tile.onnx",
        threads: Int = defaultThreads(),
    ) : this(threads, { environment, options, name ->
        val asset = if (name == "tile.onnx") tile else stats
        environment.createSession(context.assets.open(asset).use { it.readBytes() }, options)
    })

    /** Opens the two models from their files, such as ones that the app has downloaded. */
    constructor(stats: File, tile: File, threads: Int = defaultThreads()) : this(threads, { environment, options, name ->
        environment.createSession((if (name == "tile.onnx") tile else stats).path, options)
    })

    /**
     * Returns a stylized copy of [photo]: same size and transparency, ARGB_8888, mutable. [photo] is unchanged.
     *
     * @param photo any configuration, 16 pixels a side or more.
     * @param strength from 0, the photo itself, to 1, the full style.
     * @param keepColors the brush strokes of the style in the colors of the photo.
     * @param mask a gray image with the photo's aspect ratio, of any size: white is stylized, black and
     *   transparent parts stay, gray is mixed. In an ALPHA_8 mask, the alpha counts.
     * @param invertMask stylizes the rest instead.
     * @param measured the approximate maximum number of pixels of the copy, and of the pieces: more of them come
     *   closer to stylizing the photo whole, and take more memory.
     * @param progress receives, after each tile, the completed fraction, from 0 to 1.
     * @throws IllegalArgumentException for a smaller photo, another strength, or a mask of another aspect ratio.
     * @throws IllegalStateException after [close].
     */
    @Synchronized
    fun stylizeLarge(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
        measured: Int = 1 shl 20,
        progress: (Float) -> Unit = {},
    ): Bitmap {
        check(!closed) { "This StyleTransferLarge is closed; make a new one" }
        require(photo.width >= MIN_SIDE && photo.height >= MIN_SIDE) {
            "The photo is ${photo.width}x${photo.height} pixels; it must be $MIN_SIDE or more a side"
        }
        val controls = StyleTransferControls(strength, keepColors, mask, invertMask, photo.width, photo.height)
        require(measured >= 1) { "measured is $measured; it must be 1 or more" }
        val result = copy(photo, true)
        if (strength == 0f) return result
        // A tile needs original surroundings, so it is read from the photo; graphics memory cannot be read.
        val source = if (photo.config == Bitmap.Config.HARDWARE) copy(photo, false) else photo

        val statistics = measure(source, measured)
        val pixels = buffer(side * side * 4)
        val stylized = buffer(side * side * 4)
        val shape = longArrayOf(1, side.toLong(), side.toLong(), 4)
        val rows = spans(source.height)
        val columns = spans(source.width)
        val channels = longArrayOf(2, statistics.size / 2L)
        OnnxTensor.createTensor(environment, FloatBuffer.wrap(statistics), channels).use { known ->
            OnnxTensor.createTensor(environment, pixels, shape, OnnxJavaType.UINT8).use { input ->
                OnnxTensor.createTensor(environment, stylized, shape, OnnxJavaType.UINT8).use { output ->
                    var done = 0
                    for (row in rows) {
                        for (column in columns) {
                            read(source, row.start, column.start, pixels)
                            tile.run(mapOf("image" to input, "statistics" to known), mapOf("stylized" to output)).close()
                            write(stylized, source, result, row, column, controls)
                            progress(++done / (rows.size * columns.size).toFloat())
                        }
                    }
                }
            }
        }
        return result
    }

    /** Releases all memory; a second call has no effect. */
    @Synchronized
    override fun close() {
        if (closed) return
        closed = true
        tile.close()
    }

    private fun opened(name: String): OrtSession = OrtSession.SessionOptions().use { options ->
        require(threads >= 1) { "threads is $threads; it must be 1 or more" }
        options.setIntraOpNumThreads(threads)
        open(environment, options, name)
    }

    /** The statistics of the photo for the norms of the network; the model is closed afterwards to free its memory. */
    private fun measure(photo: Bitmap, pixels: Int): FloatArray = opened("stats.onnx").use { stats ->
        StyleTransferMeasure(photo, pixels) { bytes, width, height ->
            val shape = longArrayOf(1, height.toLong(), width.toLong(), 4)
            OnnxTensor.createTensor(environment, bytes, shape, OnnxJavaType.UINT8).use { image ->
                stats.run(mapOf("image" to image)).use { result ->
                    val found = (result.get(0) as OnnxTensor).floatBuffer
                    FloatArray(found.remaining()).also { found.get(it) }
                }
            }
        }.measure()
    }

    /** Fills [pixels] with the tile whose corner is at [top], [left]. */
    private fun read(photo: Bitmap, top: Int, left: Int, pixels: ByteBuffer) {
        val taken = minOf(side, photo.width - left)
        pixels.rewind()
        for (y in 0 until side) {
            photo.getPixels(line, 0, side, left, place(top + y, photo.height), taken, 1)
            for (x in 0 until side) unpack(line[if (x < taken) x else place(left + x, photo.width) - left], bytes, 4 * x)
            pixels.put(bytes)
        }
        pixels.rewind()
    }

    /** Writes the used part of a stylized tile, mixed with the photo. */
    private fun write(
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
            stylized.get(bytes, 0, count * 4)
            photo.getPixels(line, 0, side, column.first, y, count, 1)
            for (x in 0 until count) unpack(line[x], own, 4 * x)
            controls.mix(own, bytes, y, column.first, count)
            for (x in 0 until count) line[x] = packed(bytes, 4 * x, line[x])
            result.setPixels(line, 0, side, column.first, y, count, 1)
        }
    }

    /** Along one side of a photo: the start of a tile, and the start and exclusive end of its used part. */
    private class Span(val start: Int, val first: Int, val end: Int)

    private fun spans(length: Int): List<Span> {
        val last = maxOf(0, padded(length) - side)
        val found = mutableListOf<Span>()
        var start = 0
        var used = 0
        while (used < length) {
            val end = if (start == last) length else start + side - margin
            found += Span(start, used, end)
            used = end
            start = minOf(start + side - 2 * margin, last)
        }
        return found
    }

    /** The row or column of the photo for one of a tile: beyond the photo, its edge repeats, then it is mirrored. */
    private fun place(at: Int, length: Int): Int {
        val padded = padded(length)
        val turn = at % (2 * padded - 2)
        return minOf(if (turn < padded) turn else 2 * padded - 2 - turn, length - 1)
    }

    private fun padded(length: Int): Int = (length + multiple - 1) / multiple * multiple

    private companion object {
        const val MIN_SIDE = 16

        /** An ARGB color as four bytes. */
        fun unpack(color: Int, rgba: ByteArray, at: Int) {
            rgba[at] = (color shr 16).toByte()
            rgba[at + 1] = (color shr 8).toByte()
            rgba[at + 2] = color.toByte()
            rgba[at + 3] = (color ushr 24).toByte()
        }

        /** The ARGB color of bytes, with the transparency of [own]. */
        fun packed(rgba: ByteArray, at: Int, own: Int): Int {
            val red = rgba[at].toInt() and 255
            val green = rgba[at + 1].toInt() and 255
            val blue = rgba[at + 2].toInt() and 255
            return (own and (255 shl 24)) or (red shl 16) or (green shl 8) or blue
        }

        fun buffer(count: Int): ByteBuffer = ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder())

        fun copy(photo: Bitmap, mutable: Boolean): Bitmap =
            checkNotNull(photo.copy(Bitmap.Config.ARGB_8888, mutable)) { "No memory for a copy of the photo" }
    }
}
