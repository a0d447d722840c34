// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.content.Context
import android.graphics.Bitmap
import java.io.File
import java.nio.ByteBuffer

/**
 * Stylizes photos in the style of a bundle. Requires the other files of its module, ONNX Runtime 1.29 or newer,
 * kotlinx.coroutines 1.7 or newer and Android 7 (API 24) or newer.
 *
 * Create one instance and reuse it: loading takes longer than stylizing a small photo. [open] and [stylize] suspend, and
 * can be called on the main thread; constructors and [stylizeBlocking] must not. All functions are thread-safe, and one
 * photo is processed at a time.
 *
 * The network's input and output take 8 bytes per pixel at which it runs. They are reused for the next photo of the
 * same size, up to 2 megapixels; [trim] and [close] release them. On Android they count as Java heap.
 *
 * Where there is too little memory for a photo, OutOfMemoryError or ai.onnxruntime.OrtException is thrown, and this
 * object can still be used. A bitmap that was passed as `into` has undefined contents after any exception.
 */
class StyleTransfer internal constructor(source: ModelSource, accelerator: Accelerator, threads: Int) : AutoCloseable {
    /** What runs the network. */
    enum class Accelerator {
        /** The GPU if LiteRT is in the app, model.tflite is beside the model and the result is right; else the CPU. */
        Auto,

        /** The GPU by LiteRT: model.tflite beside the model. It has fixed sizes; the nearest one is used. */
        Gpu,

        /** The GPU by ONNX Runtime's WebGPU provider, if the library has it. */
        WebGpu,

        /** Qualcomm's NPU by ONNX Runtime's QNN provider: model.npu.onnx beside the model. It has one size. */
        Npu,

        /** The CPU by ONNX Runtime. */
        Cpu,
    }

    private val accelerators = Accelerators(source, accelerator, threads)
    private val pipeline = Pipeline(accelerators)
    private val lock = ModelLock("StyleTransfer", trim = pipeline::trim, close = accelerators::close)

    /**
     * What runs the network: never [Accelerator.Auto]. It is [Accelerator.Cpu] where the accelerator that was asked for
     * is missing, fails, or computed other values than the CPU for a test picture, which is compared when the model is
     * loaded. Photos with native strokes run on the CPU if the accelerator has fixed sizes.
     */
    val accelerator: Accelerator get() = accelerators.current

    /** Why the accelerator that was asked for does not run: a sentence for the app's log, or none. */
    val fallbackReasons: List<String> get() = accelerators.fallbackReasons.toList()

    /**
     * The short side, in pixels, of a photo whose brush strokes are as large as the painting's; 1024 if the model has
     * none.
     */
    val strokeResolution: Int get() = accelerators.strokeResolution

    /** Loads the .onnx or .ort file `src/main/assets/`[asset]. */
    @JvmOverloads
    constructor(
        context: Context,
        asset: String = "model.onnx",
        accelerator: Accelerator = Accelerator.Auto,
        threads: Int = defaultThreads(),
    ) : this(ModelSource.Asset(context.assets, asset), accelerator, threads)

    /** Loads a model file, such as one that the app has downloaded. */
    @JvmOverloads
    constructor(model: File, accelerator: Accelerator = Accelerator.Auto, threads: Int = defaultThreads()) :
        this(ModelSource.Path(model), accelerator, threads)

    /** Loads a model from the remaining bytes of a buffer, such as a memory-mapped file, for the CPU or WebGPU. */
    @JvmOverloads
    constructor(model: ByteBuffer, accelerator: Accelerator = Accelerator.Cpu, threads: Int = defaultThreads()) :
        this(ModelSource.Bytes(model), accelerator, threads)

    /**
     * Returns a stylized copy of [photo] with the same size and transparency: ARGB_8888, sRGB, mutable.
     *
     * Cancelling the coroutine ends the work between two operators of the network or two rows of the photo; a run of
     * LiteRT is completed. The function returns once the work has ended.
     *
     * @param photo a bitmap of any configuration and color space, at least 16 pixels wide and high. It is not modified.
     * @param strength how strongly to stylize, from 0 (the photo) to 1 (the full style).
     * @param keepColors whether to keep the photo's colors and transfer only the brush strokes.
     * @param mask a grayscale image of any size with the photo's aspect ratio. White areas are stylized, black and
     *   transparent areas keep the photo, and gray areas blend the two. An ALPHA_8 mask is read as its alpha.
     * @param invertMask whether to stylize the black areas instead of the white ones.
     * @param strokeResolution the short side, in pixels, at which the network runs; its result is enlarged, and the
     *   photo's detail restored. So strokes cover the same part of a photo of any size, and a large photo takes hardly
     *   more time and memory than a small one. The default is the model's. On the CPU it has no effect on a photo whose
     *   short side is not larger. null runs the network at the size of the photo; use [StyleTransferLarge] for that
     *   where the photo has more than 2 megapixels.
     * @param into a mutable ARGB_8888 bitmap in sRGB, of the photo's size, to reuse as the result; not the photo.
     * @throws IllegalArgumentException if the photo is too small, the strength or the stroke resolution is out of range,
     *   the mask has another aspect ratio, or [into] does not fit.
     * @throws IllegalStateException if this object is closed.
     */
    suspend fun stylize(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
        strokeResolution: Int? = this.strokeResolution,
        into: Bitmap? = null,
    ): Bitmap = cancellable { stylize(photo, strength, keepColors, mask, invertMask, strokeResolution, into, it) }

    /** As [stylize], on the calling thread, which must not be the main thread. */
    @JvmOverloads
    fun stylizeBlocking(
        photo: Bitmap,
        strength: Float = 1f,
        keepColors: Boolean = false,
        mask: Bitmap? = null,
        invertMask: Boolean = false,
        strokeResolution: Int? = this.strokeResolution,
        into: Bitmap? = null,
    ): Bitmap = stylize(photo, strength, keepColors, mask, invertMask, strokeResolution, into, Cancellation())

    private fun stylize(
        photo: Bitmap,
        strength: Float,
        keepColors: Boolean,
        mask: Bitmap?,
        invertMask: Boolean,
        strokeResolution: Int?,
        into: Bitmap?,
        cancellation: Cancellation,
    ): Bitmap = lock.use(cancellation) {
        checkSize(photo)
        checkStrokeResolution(strokeResolution)
        val controls = StyleTransferControls(strength, keepColors, mask, invertMask, photo.width, photo.height)
        pipeline.stylize(photo, controls, strokeResolution, into, cancellation)
    }

    /** Releases the buffers that are reused for the next photo, as [close] does: for `Application.onTrimMemory()`. */
    fun trim() = lock.requestTrim()

    /**
     * Releases all memory; a second call has no effect. It does not wait for a running photo: that is completed, and
     * the memory released afterwards. So it can be called on the main thread.
     */
    override fun close() = lock.requestClose()

    companion object {
        /** Loads the .onnx or .ort file `src/main/assets/`[asset], as the constructor, off the calling thread. */
        suspend fun open(
            context: Context,
            asset: String = "model.onnx",
            accelerator: Accelerator = Accelerator.Auto,
            threads: Int = defaultThreads(),
        ): StyleTransfer = open { StyleTransfer(context, asset, accelerator, threads) }

        /** Loads a model file, as the constructor, off the calling thread. */
        suspend fun open(
            model: File,
            accelerator: Accelerator = Accelerator.Auto,
            threads: Int = defaultThreads(),
        ): StyleTransfer = open { StyleTransfer(model, accelerator, threads) }

        /** Closes what was loaded if the coroutine was cancelled meanwhile, since nobody gets it then. */
        private suspend fun open(load: () -> StyleTransfer): StyleTransfer {
            var loaded: StyleTransfer? = null
            try {
                return cancellable { load().also { loaded = it } }
            } catch (error: Throwable) {
                loaded?.close()
                throw error
            }
        }
    }
}
