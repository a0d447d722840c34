// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import impasto.StyleTransfer.Accelerator
import java.nio.ByteBuffer
import java.util.concurrent.CancellationException
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.math.sqrt

/**
 * The network on the CPU, and the same network on the accelerator that was asked for, if that passes a test.
 *
 * The test compares both on a picture. Drivers differ between phones, and some compute wrong values without an error.
 */
internal class Accelerators(
    private val source: ModelSource,
    requested: Accelerator,
    private val threads: Int,
) : AutoCloseable {
    private val environment: OrtEnvironment = createEnvironment()
    private val cpu = OrtNetwork(environment, session(source) {}, Accelerator.Cpu)
    val fallbackReasons: MutableList<String> = CopyOnWriteArrayList()
    val strokeResolution = strokeResolutionOf(cpu.session)
    val grain = grainOf(cpu.session)

    @Volatile private var accelerated: Network? = null

    val current: Accelerator get() = accelerated?.accelerator ?: Accelerator.Cpu

    init {
        val candidate = if (requested == Accelerator.Auto) Accelerator.Gpu else requested
        if (candidate != Accelerator.Cpu) accelerated = opened(candidate)
    }

    /**
     * Calls [action] with the accelerated network, and with that of the CPU if there is none, if it fails, or if it
     * cannot run [native], at the size of the photo.
     */
    fun run(native: Boolean, action: (Network) -> Unit) {
        val network = accelerated
        if (network == null || (native && network.sizes.isNotEmpty())) return action(cpu)
        try {
            return action(network)
        } catch (error: CancellationException) {
            throw error
        } catch (error: Exception) {
            accelerated = null
            fallbackReasons += "${network.accelerator} failed: ${error.message ?: error}"
            closeFailed(network)
        }
        action(cpu)
    }

    fun trim() {
        accelerated?.trim()
    }

    override fun close() {
        accelerated.use { cpu.close() }
    }

    private fun opened(accelerator: Accelerator): Network? {
        var network: Network? = null
        val reason = try {
            network = open(accelerator)
            difference(network).takeIf { it > MAX_DIFFERENCE }?.let { "differs from the CPU by %.1f levels".format(it) }
        } catch (error: Exception) {
            error.message ?: error.toString()
        } catch (error: LinkageError) { // a library that the app or the phone lacks
            error.toString()
        }
        if (reason == null) return network
        fallbackReasons += "$accelerator is not used: $reason"
        network?.let { closeFailed(it) }
        return null
    }

    /** Closes a network whose driver may fail again, which must not keep the CPU from running. */
    private fun closeFailed(network: Network) {
        try {
            network.close()
        } catch (error: Exception) {
            fallbackReasons += "${network.accelerator} was not closed: ${error.message ?: error}"
        }
    }

    private fun open(accelerator: Accelerator): Network = when (accelerator) {
        Accelerator.Gpu -> liteRt().open(file("model.tflite"))
        Accelerator.WebGpu -> OrtNetwork(environment, session(source) { addWebGPU(emptyMap()) }, accelerator)
        Accelerator.Npu -> NpuNetwork(environment, session(file("model.npu.onnx")) {
            addConfigEntry("session.disable_cpu_ep_fallback", "1") // all of the network on the NPU, or an error
            addQnn(mapOf("backend_path" to "libQnnHtp.so", "enable_htp_fp16_precision" to "1"))
        })
        else -> cpu
    }

    private fun liteRt(): LiteRtOpener = try {
        Class.forName("impasto.StyleTransferLiteRt").getDeclaredConstructor().newInstance() as LiteRtOpener
    } catch (error: ClassNotFoundException) {
        throw IllegalStateException("StyleTransferLiteRt.kt is not in the app", error)
    }

    private fun file(name: String): ModelSource =
        checkNotNull(source.sibling(name)) { "$name is missing beside the model" }

    private fun session(source: ModelSource, configure: OrtSession.SessionOptions.() -> Unit): OrtSession =
        sessionOptions(threads).use { options ->
            options.configure()
            source.session(environment, options)
        }

    /** Returns the root mean square of the differences from the CPU, in levels of 255, at the network's smallest size. */
    private fun difference(network: Network): Double {
        val size = network.sizes.minByOrNull { it.pixels } ?: ImageSize(256, 256)
        val photo = testPicture(size)
        val (expected, actual) = List(2) { allocate(size.pixels * 4) }
        cpu.run(photo, expected, size, Cancellation())
        network.run(photo, actual, size, Cancellation())
        var squares = 0L
        for (i in 0 until size.pixels * 4) {
            val difference = (expected.get(i).toInt() and 255) - (actual.get(i).toInt() and 255)
            squares += difference * difference
        }
        return sqrt(squares.toDouble() / (size.pixels * 4))
    }

    private companion object {
        // Weights of 8 bits are worth 2.6 levels at most (40 dB), and the arithmetic of a GPU 0.3 (59 dB).
        const val MAX_DIFFERENCE = 3.0

        /** Returns a picture with gradients, edges, texture and flat areas. */
        fun testPicture(size: ImageSize): ByteBuffer {
            val rgba = allocate(size.pixels * 4)
            for (y in 0 until size.height) {
                for (x in 0 until size.width) {
                    val across = x * 255 / size.width
                    val down = y * 255 / size.height
                    val texture = (x * 7 xor y * 13) and 31
                    val isFlat = (across - 90) * (across - 90) + (down - 100) * (down - 100) < 2500
                    rgba.put((if (isFlat) 230 else across).toByte())
                    rgba.put((if (isFlat) 40 else if (across > 128) 255 - down else texture * 8).toByte())
                    rgba.put((if (isFlat) 20 else (across + down) / 2 xor texture).toByte())
                    rgba.put(255.toByte())
                }
            }
            return rgba
        }
    }
}
