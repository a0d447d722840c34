// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer
import java.nio.ByteBuffer

/**
 * Runs model.tflite on the GPU. Requires LiteRT 2: `com.google.ai.edge.litert:litert` and `litert-gpu`. An app that uses
 * the CPU alone needs neither this file nor LiteRT. [StyleTransfer] finds this class by its name.
 */
internal class StyleTransferLiteRt : LiteRtOpener {
    override fun open(model: ModelSource): Network {
        val options = CompiledModel.Options(Accelerator.GPU) // alone, so that nothing runs on the CPU unnoticed
        return when (model) {
            is ModelSource.Asset -> {
                val sizes = sizesIn(model.bytes())
                LiteRtNetwork(CompiledModel.create(model.assets, model.name, options), sizes)
            }
            is ModelSource.Path -> {
                val sizes = sizesIn(model.file.readBytes())
                LiteRtNetwork(CompiledModel.create(model.file.path, options), sizes)
            }
            is ModelSource.Bytes -> error("LiteRT opens assets and files only")
        }
    }

    /** Returns the sizes of the signatures, whose names are such as `size_512x768`. The API lists no names. */
    private fun sizesIn(file: ByteArray): List<ImageSize> {
        val names = Regex("size_(\\d+)x(\\d+)").findAll(String(file, Charsets.ISO_8859_1))
        val sizes = names.map { ImageSize(it.groupValues[1].toInt(), it.groupValues[2].toInt()) }.distinct().toList()
        check(sizes.isNotEmpty()) { "model.tflite has no signature with a size" }
        return sizes
    }
}

/** The file of LiteRT, of a signature for each size. */
private class LiteRtNetwork(private val model: CompiledModel, override val sizes: List<ImageSize>) : Network {
    override val accelerator = StyleTransfer.Accelerator.Gpu
    private var buffers: Buffers? = null

    /** A run of LiteRT cannot be ended early. */
    override fun run(photo: ByteBuffer, stylized: ByteBuffer, size: ImageSize, cancellation: Cancellation) {
        val buffers = this.buffers?.takeIf { it.size == size } ?: run {
            trim()
            Buffers(model, size).also { this.buffers = it }
        }
        photo.rewind()
        photo.get(buffers.bytes)
        buffers.inputs[0].writeInt8(buffers.bytes)
        cancellation.check()
        model.run(buffers.inputs, buffers.outputs, buffers.signature)
        cancellation.check()
        stylized.rewind()
        stylized.put(buffers.outputs[0].readInt8())
    }

    override fun trim() {
        buffers?.close()
        buffers = null
    }

    override fun close() = model.use { trim() }

    private class Buffers(model: CompiledModel, val size: ImageSize) : AutoCloseable {
        val signature = "size_${size.width}x${size.height}"
        val bytes = ByteArray(size.pixels * 4)
        val inputs: List<TensorBuffer> = model.createInputBuffers(signature)
        val outputs: List<TensorBuffer> = model.createOutputBuffers(signature)

        override fun close() = (inputs + outputs).forEach { it.close() }
    }
}
