package com.google.ai.edge.litert

import android.content.res.AssetManager

// The part of LiteRT's Kotlin API that the clients use, with its signatures. What runs in place of a model is a field.

enum class Accelerator { NONE, CPU, GPU, NPU }

class LiteRtException(message: String) : Exception(message)

abstract class JniHandle : AutoCloseable {
    override fun close() {
        CompiledModel.open.remove(this)
    }
}

class TensorBuffer internal constructor() : JniHandle() {
    private var bytes = ByteArray(0)

    @Throws(LiteRtException::class)
    fun writeInt8(data: ByteArray) {
        bytes = data.clone()
    }

    @Throws(LiteRtException::class)
    fun readInt8(): ByteArray = bytes.clone()
}

class CompiledModel private constructor() : JniHandle() {
    class Options constructor(internal val accelerators: Set<Accelerator>) {
        constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))
    }

    @Throws(LiteRtException::class)
    fun createInputBuffers(signature: String): List<TensorBuffer> = listOf(TensorBuffer().also { open[it] = signature })

    @Throws(LiteRtException::class)
    fun createOutputBuffers(signature: String): List<TensorBuffer> = createInputBuffers(signature)

    @Throws(LiteRtException::class)
    fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signature: String) {
        check((inputs + outputs + this).all { open.containsKey(it) }) { "closed" }
        val (width, height) = signature.removePrefix("size_").split("x").map { it.toInt() }
        outputs[0].writeInt8(network(inputs[0].readInt8(), width, height))
    }

    override fun close() {
        super.close()
        closing()
    }

    companion object {
        /** Not in the API: what is not closed. */
        val open = java.util.concurrent.ConcurrentHashMap<JniHandle, String>()

        /** Not in the API: the network. */
        var network: (rgba: ByteArray, width: Int, height: Int) -> ByteArray = { rgba, _, _ -> rgba }

        /** Not in the API: is called when a model is closed. */
        var closing: () -> Unit = {}

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(assetManager: AssetManager, assetName: String, options: Options = Options()): CompiledModel {
            assetManager.open(assetName).close()
            return created(options)
        }

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        fun create(filePath: String, options: Options = Options()): CompiledModel {
            check(java.io.File(filePath).isFile)
            return created(options)
        }

        private fun created(options: Options): CompiledModel {
            if (options.accelerators != setOf(Accelerator.GPU)) throw LiteRtException("not the GPU alone")
            return CompiledModel().also { open[it] = "model" }
        }
    }
}
