// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

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
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock

internal fun defaultThreads(): Int = Runtime.getRuntime().availableProcessors().coerceIn(1, 4)

/** Returns ONNX Runtime's environment with telemetry disabled, which must happen before the library is loaded. */
internal fun createEnvironment(): OrtEnvironment {
    Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
    return OrtEnvironment.getEnvironment().apply { setTelemetry(false) }
}

internal const val MIN_SIDE = 16 // pixels, the smallest side that a model accepts

internal fun strokeResolutionOf(session: OrtSession): Int? =
    session.metadata.customMetadata["stroke_resolution"]?.toIntOrNull()?.takeIf { it >= MIN_SIDE }

internal fun checkStrokeResolution(value: Int?) =
    require(value == null || value >= MIN_SIDE) { "strokeResolution is $value; it must be null or at least $MIN_SIDE" }

/** Lets one photo at a time use a model. Others release its memory without waiting for that photo. */
internal class ModelLock(private val owner: String, private val trim: () -> Unit, private val close: () -> Unit) {
    private val lock = ReentrantLock()
    private var closed = false

    @Volatile private var trimRequested = false

    @Volatile private var closeRequested = false

    fun <T> use(action: () -> T): T = try {
        lock.withLock {
            check(!closeRequested) { "This $owner is closed; create a new one" }
            action()
        }
    } finally {
        release()
    }

    fun requestTrim() {
        trimRequested = true
        release()
    }

    fun requestClose() {
        closeRequested = true
        release()
    }

    /** Releases what was requested, unless a photo is running: the thread of that photo then does it at its end. */
    private fun release() {
        while (!lock.isHeldByCurrentThread && (trimRequested || (closeRequested && !closed)) && lock.tryLock()) {
            try {
                trimRequested = false
                trim()
                if (closeRequested && !closed) {
                    closed = true
                    close()
                }
            } finally {
                lock.unlock()
            }
        }
    }
}

/**
 * Stylizes photos in the style of this bundle. Requires StyleTransferBitmaps.kt, StyleTransferControls.kt,
 * StyleTransferStrokes.kt, ONNX Runtime 1.17 or newer and Android 7 (API 24) or newer.
 *
 * Create one instance and reuse it, because loading the model takes longer than stylizing a small photo. All functions
 * are thread-safe. [stylize] blocks, and processes one photo at a time, so call it off the main thread.
 *
 * The network's input and output take 8 bytes per pixel at which it runs. They are reused for the next photo of the
 * same size, up to 2 megapixels; [trim] and [close] release them. On Android they count as Java heap.
 *
 * @param threads the number of threads; the default, at most 4, leaves a typical phone's efficiency cores idle.
 */
class StyleTransfer private constructor(
    threads: Int,
    createSession: (OrtEnvironment, OrtSession.SessionOptions) -> OrtSession,
) : AutoCloseable {
    private val environment = createEnvironment()
    private val session = OrtSession.SessionOptions().use { options ->
        require(threads >= 1) { "threads is $threads; it must be at least 1" }
        options.setIntraOpNumThreads(threads)
        createSession(environment, options)
    }
    private var buffers: Buffers? = null
    private val lock = ModelLock("StyleTransfer", trim = ::releaseBuffers, close = { session.close() })

    /**
     * The short side, in pixels, of a photo whose brush strokes are as large as the painting's; null if the model has
     * none.
     */
    val strokeResolution: Int? = strokeResolutionOf(session)

    /** Loads the .onnx or .ort file `src/main/assets/`[asset]. */
    @JvmOverloads
    constructor(context: Context, asset: String = "model.onnx", threads: Int = defaultThreads()) :
        this(context.assets.open(asset).use { it.readBytes() }, threads)

    /** Loads a model from its bytes. */
    @JvmOverloads
    constructor(model: ByteArray, threads: Int = defaultThreads()) :
        this(threads, { environment, options -> environment.createSession(model, options) })

    /** Loads a model from the remaining bytes of a buffer, such as a memory-mapped file. */
    @JvmOverloads
    constructor(model: ByteBuffer, threads: Int = defaultThreads()) :
        this(threads, { environment, options -> environment.createSession(directBuffer(model), options) })

    /** Loads a model file, such as one that the app has downloaded. */
    @JvmOverloads
    constructor(model: File, threads: Int = defaultThreads()) :
        this(threads, { environment, options -> environment.createSession(model.path, options) })

    /**
     * Returns a stylized copy of [photo] with the same size and transparency: ARGB_8888, sRGB, mutable.
     *
     * @param photo a bitmap of any configuration and color space, at least 16 pixels wide and high. It is not modified.
     * @param strength how strongly to stylize, from 0 (the photo) to 1 (the full style).
     * @param keepColors whether to keep the photo's colors and transfer only the brush strokes.
     * @param mask a grayscale image of any size with the photo's aspect ratio. White areas are stylized, black and
     *   transparent areas keep the photo, and gray areas blend the two. An ALPHA_8 mask is read as its alpha.
     * @param invertMask whether to stylize the black areas instead of the white ones.
     * @param strokeResolution the short side, in pixels, at which the network runs; its result is enlarged, and the
     *   photo's detail restored. So strokes cover the same part of a photo of any size, and a large photo takes hardly
     *   more time and memory than a small one. The default is the model's. It has no effect on a photo whose short side
     *   is not larger. null runs the network at the size of the photo.
     * @throws IllegalArgumentException if the photo is too small, the strength or the stroke resolution is out of range,
     *   or the mask has another aspect ratio.
     * @throws IllegalStateException if this object is closed.
     */
    @JvmOverloads
    fun stylize(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
        strokeResolution: Int? = this.strokeResolution,
    ): Bitmap = lock.use {
        try {
            stylizeLocked(photo, strength, keepColors, mask, invertMask, strokeResolution)
        } finally {
            if (buffers?.isLarge == true) releaseBuffers()
        }
    }

    /** Releases the buffers that are reused for the next photo, as [close] does: for `Application.onTrimMemory()`. */
    fun trim() = lock.requestTrim()

    /**
     * Releases all memory; a second call has no effect. It does not wait for a running photo: that is completed, and
     * the memory released afterwards.
     */
    override fun close() = lock.requestClose()

    private fun stylizeLocked(
        photo: Bitmap,
        strength: Float,
        keepColors: Boolean,
        mask: Bitmap?,
        invertMask: Boolean,
        strokeResolution: Int?,
    ): Bitmap {
        val width = photo.width
        val height = photo.height
        require(width >= MIN_SIDE && height >= MIN_SIDE) {
            "The photo is ${width}x$height pixels; it must be at least ${MIN_SIDE}x$MIN_SIDE"
        }
        checkStrokeResolution(strokeResolution)
        val controls = StyleTransferControls(strength, keepColors, mask, invertMask, width, height)
        val result = copyAsSrgb(photo)
        if (strength == 0f) return result
        if (strokeResolution != null && strokeResolution < minOf(width, height)) {
            val strokes = StyleTransferStrokes(result, strokeResolution)
            val stylized = stylizeLocked(strokes.small, 1f, false, null, false, strokeResolution = null)
            strokes.enlarge(stylized, result, controls)
            return result
        }
        val premultiplied = result.hasAlpha() && result.isPremultiplied

        val buffers = buffersFor(width, height)
        buffers.read(result, premultiplied)
        buffers.run(session)
        val stylized = buffers.stylized
        if (!controls.isIdentity || premultiplied) {
            postprocess(buffers.photo, stylized, width, controls, premultiplied)
        }
        stylized.rewind()
        result.copyPixelsFromBuffer(stylized)
        return result
    }

    private fun releaseBuffers() {
        buffers?.close()
        buffers = null
    }

    /** Returns the buffers of the previous photo if it had the same size, otherwise new ones. */
    private fun buffersFor(width: Int, height: Int): Buffers {
        buffers?.let { if (it.width == width && it.height == height) return it }
        releaseBuffers()
        return Buffers(environment, width, height).also { buffers = it }
    }

    /** Input and output of one size, in direct buffers, which ONNX Runtime accesses without copying. */
    private class Buffers(environment: OrtEnvironment, val width: Int, val height: Int) : AutoCloseable {
        val photo = allocate(width * height * 4)
        val stylized = allocate(width * height * 4)
        val isLarge = width * height > MAX_KEPT_PIXELS
        private val shape = longArrayOf(1, height.toLong(), width.toLong(), 4)
        private val input = OnnxTensor.createTensor(environment, photo, shape, OnnxJavaType.UINT8)
        private val output = try {
            OnnxTensor.createTensor(environment, stylized, shape, OnnxJavaType.UINT8)
        } catch (error: Throwable) {
            input.close()
            throw error
        }

        fun read(bitmap: Bitmap, premultiplied: Boolean) {
            photo.rewind()
            bitmap.copyPixelsToBuffer(photo)
            if (premultiplied) divideByAlpha(photo)
        }

        fun run(session: OrtSession) = session.run(mapOf("image" to input), mapOf("stylized" to output)).close()

        override fun close() = input.use { output.close() }
    }

    private companion object {
        const val MAX_KEPT_PIXELS = 1920 * 1088 // a frame of a video: 17 MB of buffers

        fun allocate(size: Int): ByteBuffer = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

        fun directBuffer(model: ByteBuffer): ByteBuffer =
            if (model.isDirect) model else allocate(model.remaining()).apply { put(model.duplicate()).rewind() }

        /** Blends [photo] into [stylized] by the controls, row by row; optionally premultiplies the result. */
        fun postprocess(
            photo: ByteBuffer,
            stylized: ByteBuffer,
            width: Int,
            controls: StyleTransferControls,
            premultiply: Boolean,
        ) {
            val photoRow = ByteArray(width * 4)
            val stylizedRow = ByteArray(width * 4)
            for (y in 0 until photo.capacity() / photoRow.size) {
                val start = y * photoRow.size
                photo.position(start)
                photo.get(photoRow)
                stylized.position(start)
                stylized.get(stylizedRow)
                controls.blend(photoRow, stylizedRow, y, 0, width)
                if (premultiply) multiplyByAlpha(stylizedRow)
                stylized.position(start)
                stylized.put(stylizedRow)
            }
        }
    }
}
