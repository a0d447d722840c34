package impasto

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import android.content.Context
import android.graphics.Bitmap
import android.system.Os
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

internal fun defaultThreads(): Int = Runtime.getRuntime().availableProcessors().coerceIn(1, 4)

/** ONNX Runtime with its telemetry off, which must happen before the first use of the library. */
internal fun quietEnvironment(): OrtEnvironment {
    Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
    return OrtEnvironment.getEnvironment().apply { setTelemetry(false) }
}

/**
 * Stylizes photos in the style of this bundle. Requires StyleTransferControls.kt, ONNX Runtime 1.17 or newer and
 * Android 7 (API 24) or newer.
 *
 * Create one instance and reuse it: opening the model takes longer than a small photo. Every function may be called
 * from any thread, works on one photo at a time and blocks, so call it off the main thread. The memory for the largest
 * photo so far is reused for the next one; [close] releases it.
 *
 * @param threads the number of cores to use; the default leaves the small cores of a typical phone idle.
 */
class StyleTransfer private constructor(
    threads: Int,
    open: (OrtEnvironment, OrtSession.SessionOptions) -> OrtSession,
) : AutoCloseable {
    private val environment = quietEnvironment()
    private val session = OrtSession.SessionOptions().use { options ->
        require(threads >= 1) { "threads is $threads; it must be 1 or more" }
        options.setIntraOpNumThreads(threads)
        open(environment, options)
    }
    private var frame: Frame? = null
    private var closed = false

    /** Opens `src/main/assets/`[asset]: an .onnx or .ort file. */
    constructor(context: Context, asset: String = "model.onnx", threads: Int = defaultThreads()) :
        this(context.assets.open(asset).use { it.readBytes() }, threads)

    /** Opens a model from its bytes. */
    constructor(model: ByteArray, threads: Int = defaultThreads()) :
        this(threads, { environment, options -> environment.createSession(model, options) })

    /** Opens a model from the remaining bytes of a buffer, such as a file mapped into memory. */
    constructor(model: ByteBuffer, threads: Int = defaultThreads()) :
        this(threads, { environment, options -> environment.createSession(direct(model), options) })

    /** Opens a model file, such as one that the app has downloaded. */
    constructor(model: File, threads: Int = defaultThreads()) :
        this(threads, { environment, options -> environment.createSession(model.path, options) })

    /**
     * Returns a stylized copy of [photo]: same size and transparency, ARGB_8888, mutable. [photo] is unchanged.
     *
     * @param photo any configuration, 16 pixels a side or more.
     * @param strength from 0, the photo itself, to 1, the full style.
     * @param keepColors the brush strokes of the style in the colors of the photo.
     * @param mask a gray image with the photo's aspect ratio, of any size: white is stylized, black and
     *   transparent parts stay, gray is mixed. In an ALPHA_8 mask, the alpha counts.
     * @param invertMask stylizes the rest instead.
     * @throws IllegalArgumentException for a smaller photo, another strength, or a mask of another aspect ratio.
     * @throws IllegalStateException after [close].
     */
    @Synchronized
    fun stylize(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
    ): Bitmap {
        check(!closed) { "This StyleTransfer is closed; make a new one" }
        val width = photo.width
        val height = photo.height
        require(width >= MIN_SIDE && height >= MIN_SIDE) {
            "The photo is ${width}x$height pixels; it must be $MIN_SIDE or more a side"
        }
        val controls = StyleTransferControls(strength, keepColors, mask, invertMask, width, height)
        // A copy preserves color space, density and transparency, and converts any other configuration to bytes.
        val result = checkNotNull(photo.copy(Bitmap.Config.ARGB_8888, true)) { "No memory for a copy of the photo" }
        if (strength == 0f) return result
        val premultiplied = result.hasAlpha() && result.isPremultiplied

        val (pixels, stylized) = frame(width, height).also { it.read(result, premultiplied) }.run(session)
        if (!controls.isPlain || premultiplied) finish(pixels, stylized, width, controls, premultiplied)
        stylized.rewind()
        result.copyPixelsFromBuffer(stylized)
        return result
    }

    /** Releases all memory; a second call has no effect. */
    @Synchronized
    override fun close() {
        if (closed) return
        closed = true
        frame.use { session.close() }
        frame = null
    }

    /** The buffers of the previous photo if it had the same size, otherwise new ones. */
    private fun frame(width: Int, height: Int): Frame {
        frame?.let { if (it.width == width && it.height == height) return it else it.close() }
        frame = null
        return Frame(environment, width, height).also { frame = it }
    }

    /** Memory for images of one size, outside the Java heap, that ONNX Runtime reads and writes in place. */
    private class Frame(environment: OrtEnvironment, val width: Int, val height: Int) : AutoCloseable {
        private val pixels = bytes(width * height * 4)
        private val stylized = bytes(width * height * 4)
        private val shape = longArrayOf(1, height.toLong(), width.toLong(), 4)
        private val input = OnnxTensor.createTensor(environment, pixels, shape, OnnxJavaType.UINT8)
        private val output = try {
            OnnxTensor.createTensor(environment, stylized, shape, OnnxJavaType.UINT8)
        } catch (error: Throwable) {
            input.close()
            throw error
        }

        fun read(bitmap: Bitmap, premultiplied: Boolean) {
            pixels.rewind()
            bitmap.copyPixelsToBuffer(pixels)
            if (premultiplied) divideByAlpha(pixels)
        }

        fun run(session: OrtSession): Pair<ByteBuffer, ByteBuffer> {
            session.run(mapOf("image" to input), mapOf("stylized" to output)).close()
            return Pair(pixels, stylized)
        }

        override fun close() = input.use { output.close() }
    }

    private companion object {
        const val MIN_SIDE = 16
        const val BLOCK = 1 shl 14 // bytes that are worked on at a time: array access is far faster than a buffer's

        fun bytes(count: Int): ByteBuffer = ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder())

        fun direct(model: ByteBuffer): ByteBuffer =
            if (model.isDirect) model else bytes(model.remaining()).apply { put(model.duplicate()).rewind() }

        /** Converts premultiplied RGBA to straight RGBA, in place. */
        fun divideByAlpha(pixels: ByteBuffer) {
            val block = ByteArray(BLOCK)
            for (start in 0 until pixels.capacity() step BLOCK) {
                val count = minOf(BLOCK, pixels.capacity() - start)
                pixels.position(start)
                pixels.get(block, 0, count)
                for (i in 0 until count step 4) {
                    val alpha = block[i + 3].toInt() and 255
                    if (alpha == 0 || alpha == 255) continue
                    for (c in i until i + 3) {
                        block[c] = minOf(255, ((block[c].toInt() and 255) * 255 + alpha / 2) / alpha).toByte()
                    }
                }
                pixels.position(start)
                pixels.put(block, 0, count)
            }
        }

        /** Mixes straight [stylized] and [photo] into [stylized], row by row; optionally premultiplies the result. */
        fun finish(
            photo: ByteBuffer,
            stylized: ByteBuffer,
            width: Int,
            controls: StyleTransferControls,
            premultiply: Boolean,
        ) {
            val from = ByteArray(width * 4)
            val to = ByteArray(width * 4)
            for (y in 0 until photo.capacity() / from.size) {
                photo.position(y * from.size)
                photo.get(from)
                stylized.position(y * to.size)
                stylized.get(to)
                controls.mix(from, to, y, 0, width)
                if (premultiply) multiplyByAlpha(to)
                stylized.position(y * to.size)
                stylized.put(to)
            }
        }

        private fun multiplyByAlpha(row: ByteArray) {
            for (i in row.indices step 4) {
                val alpha = row[i + 3].toInt() and 255
                for (c in i until i + 3) row[c] = (((row[c].toInt() and 255) * alpha + 127) / 255).toByte()
            }
        }
    }
}
