// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import android.content.res.AssetManager
import android.system.Os
import impasto.StyleTransfer.Accelerator
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import kotlin.math.abs
import kotlin.math.ln
import kotlin.math.round

internal const val MIN_SIDE = 16 // pixels, the smallest side that a model accepts
internal const val DEFAULT_STROKE_RESOLUTION = 1024 // pixels, of a model without one: as in impasto-stylize

internal fun defaultThreads(): Int = Runtime.getRuntime().availableProcessors().coerceIn(1, 4)

/** Returns ONNX Runtime's environment with telemetry disabled, which must happen before the library is loaded. */
internal fun createEnvironment(): OrtEnvironment {
    Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
    return OrtEnvironment.getEnvironment().apply { setTelemetry(false) }
}

/** Returns options that keep no memory from one photo to the next: an arena would, and [StyleTransfer.trim] could not. */
internal fun sessionOptions(threads: Int): OrtSession.SessionOptions {
    require(threads >= 1) { "threads is $threads; it must be at least 1" }
    return OrtSession.SessionOptions().apply {
        setIntraOpNumThreads(threads)
        setCPUArenaAllocator(false)
        setMemoryPatternOptimization(false)
        addConfigEntry("session.disable_quant_qdq", "1") // dequantizes 8-bit weights once, not in every run
    }
}

internal fun strokeResolutionOf(session: OrtSession): Int =
    session.metadata.customMetadata["stroke_resolution"]?.toIntOrNull()?.takeIf { it >= MIN_SIDE }
        ?: DEFAULT_STROKE_RESOLUTION

internal fun checkStrokeResolution(value: Int?) =
    require(value == null || value >= MIN_SIDE) { "strokeResolution is $value; it must be null or at least $MIN_SIDE" }

internal fun allocate(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

internal data class ImageSize(val width: Int, val height: Int) {
    val pixels get() = width * height

    private val shortSide get() = minOf(width, height)

    /** Returns this size, or a smaller one of the same aspect ratio whose short side is [resolution]. */
    fun reduced(resolution: Int?): ImageSize {
        if (resolution == null || resolution >= shortSide) return this
        val scale = resolution.toDouble() / shortSide
        return ImageSize(round(width * scale).toInt(), round(height * scale).toInt())
    }

    /** How much an image of this size is distorted and scaled at another size: 0 for this one. */
    fun distance(other: ImageSize): Double {
        val aspect = abs(ln(width.toDouble() * other.height / height / other.width))
        return aspect + abs(ln(shortSide.toDouble() / other.shortSide))
    }
}

/** Where a model comes from. */
internal sealed class ModelSource {
    abstract fun session(environment: OrtEnvironment, options: OrtSession.SessionOptions): OrtSession

    /** Returns another file of the same folder, or null if there is none. */
    open fun sibling(name: String): ModelSource? = null

    class Asset(val assets: AssetManager, val name: String) : ModelSource() {
        override fun session(environment: OrtEnvironment, options: OrtSession.SessionOptions): OrtSession =
            environment.createSession(bytes(), options)

        override fun sibling(name: String): ModelSource? {
            val folder = this.name.substringBeforeLast('/', "")
            val other = Asset(assets, if (folder == "") name else "$folder/$name")
            return try {
                assets.open(other.name).close()
                other
            } catch (_: IOException) {
                null
            }
        }

        fun bytes(): ByteArray = assets.open(name).use { it.readBytes() }
    }

    class Path(val file: File) : ModelSource() {
        override fun session(environment: OrtEnvironment, options: OrtSession.SessionOptions): OrtSession =
            environment.createSession(file.path, options)

        override fun sibling(name: String): ModelSource? =
            File(file.absoluteFile.parentFile, name).takeIf { it.isFile }?.let { Path(it) }
    }

    class Bytes(private val model: ByteBuffer) : ModelSource() {
        override fun session(environment: OrtEnvironment, options: OrtSession.SessionOptions): OrtSession {
            val direct = if (model.isDirect) model else allocate(model.remaining()).apply { put(model.duplicate()).rewind() }
            return environment.createSession(direct, options)
        }
    }
}

/** A network on one processor. Images are straight RGBA in direct buffers. */
internal interface Network : AutoCloseable {
    val accelerator: Accelerator

    /** The sizes that it takes; empty if it takes any. */
    val sizes: List<ImageSize>

    fun run(photo: ByteBuffer, stylized: ByteBuffer, size: ImageSize, cancellation: Cancellation)

    /** Releases the buffers for the next image. */
    fun trim() = Unit
}

/** Opens the file of LiteRT. It is found by its name, so that an app may leave out StyleTransferLiteRt.kt. */
internal interface LiteRtOpener {
    fun open(model: ModelSource): Network
}

/** Runs a session until it ends or is cancelled, which ONNX Runtime does between two of its operators. */
internal fun OrtSession.run(inputs: Map<String, OnnxTensor>, outputs: Map<String, OnnxTensor>, cancellation: Cancellation) =
    OrtSession.RunOptions().use { options ->
        cancellation.interruptible({ options.setTerminate(true) }) { run(inputs, emptySet(), outputs, options).close() }
    }

/** The network of bytes, at any size, on the CPU or in ONNX Runtime's WebGPU provider. */
internal class OrtNetwork(
    private val environment: OrtEnvironment,
    val session: OrtSession,
    override val accelerator: Accelerator,
) : Network {
    override val sizes = emptyList<ImageSize>()

    override fun run(photo: ByteBuffer, stylized: ByteBuffer, size: ImageSize, cancellation: Cancellation) {
        val shape = longArrayOf(1, size.height.toLong(), size.width.toLong(), 4)
        photo.rewind()
        stylized.rewind()
        OnnxTensor.createTensor(environment, photo, shape, OnnxJavaType.UINT8).use { input ->
            OnnxTensor.createTensor(environment, stylized, shape, OnnxJavaType.UINT8).use { output ->
                session.run(mapOf("image" to input), mapOf("stylized" to output), cancellation)
            }
        }
    }

    override fun close() = session.close()
}

/** The network of floats 0..255, of one size, on Qualcomm's NPU. The network of bytes would be wrong there. */
internal class NpuNetwork(private val environment: OrtEnvironment, private val session: OrtSession) : Network {
    private val shape = (session.inputInfo.getValue("image").info as TensorInfo).shape
    private var planes: Pair<FloatBuffer, FloatBuffer>? = null // the input and the output
    override val accelerator = Accelerator.Npu
    override val sizes: List<ImageSize>

    init {
        check(shape.size == 4 && shape[1] == 3L && shape.all { it > 0 }) { "model.npu.onnx has no fixed size" }
        sizes = listOf(ImageSize(shape[3].toInt(), shape[2].toInt()))
    }

    override fun run(photo: ByteBuffer, stylized: ByteBuffer, size: ImageSize, cancellation: Cancellation) {
        val (input, output) = planes ?: Pair(allocatePlanes(size), allocatePlanes(size)).also { planes = it }
        for (plane in 0..2) {
            for (pixel in 0 until size.pixels) {
                input.put(plane * size.pixels + pixel, (photo.get(pixel * 4 + plane).toInt() and 255).toFloat())
            }
        }
        tensor(input).use { image ->
            tensor(output).use { session.run(mapOf("image" to image), mapOf("stylized" to it), cancellation) }
        }
        for (pixel in 0 until size.pixels) {
            for (plane in 0..2) {
                val value = round(output.get(plane * size.pixels + pixel)).coerceIn(0f, 255f)
                stylized.put(pixel * 4 + plane, value.toInt().toByte())
            }
            stylized.put(pixel * 4 + 3, photo.get(pixel * 4 + 3))
        }
    }

    private fun allocatePlanes(size: ImageSize) = allocate(size.pixels * 3 * Float.SIZE_BYTES).asFloatBuffer()

    private fun tensor(values: FloatBuffer) = OnnxTensor.createTensor(environment, values, shape)

    override fun trim() {
        planes = null
    }

    override fun close() = session.close()
}
