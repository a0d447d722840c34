// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.content.Context
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The styles of a store, which share one network: [model] gives the model of a style, or of a blend of several, for
 * `StyleTransfer`:
 *
 *     val store = StyleTransferStore(context)  // once
 *     val style = StyleTransfer(store.model("starry_night"))
 *     val blend = StyleTransfer(store.model(mapOf("starry_night" to 0.7f, "great_wave" to 0.3f)))
 *
 * A style file that the app has downloaded becomes one more style with [add]. The functions are thread-safe, and take a
 * few milliseconds.
 *
 * @param model the bytes of `android/style.onnx`.
 * @param layout the text of `android/style.txt`, which says where the file has the values of a style.
 */
class StyleTransferStore(private val model: ByteArray, layout: String) {
    private val network: String
    private val places: List<Place>
    private val values = LinkedHashMap<String, FloatArray>()

    init {
        val lines = layout.lines()
        val fields = lines.drop(1).filter { " " in it }.associate { it.substringBefore(" ") to it.substringAfter(" ") }
        require(lines.first() == FORMAT && "network" in fields && "norms" in fields) {
            "The layout is not that of a store; use style.txt of the bundle that the model is from"
        }
        network = fields.getValue("network")
        places = fields.getValue("norms").split(" ").map { word ->
            val (offset, count) = word.split(":").map(String::toInt)
            require(offset >= 0 && count > 0 && offset + BYTES * count <= model.size) {
                "The layout is that of another model; use style.txt of the bundle that the model is from"
            }
            Place(offset, count)
        }
    }

    /** Loads style.onnx, style.txt and all style files from the folder `src/main/assets/`[folder]. */
    @JvmOverloads
    constructor(context: Context, folder: String = "store") : this(
        context.assets.open("$folder/style.onnx").use { it.readBytes() },
        context.assets.open("$folder/style.txt").use { it.readBytes() }.toString(Charsets.UTF_8),
    ) {
        val files = context.assets.list(folder).orEmpty().filter { it.endsWith(SUFFIX) }.sorted()
        for (file in files) {
            add(file.removeSuffix(SUFFIX), context.assets.open("$folder/$file").use { it.readBytes() })
        }
    }

    /** The names of the styles, in the order in which they were added. */
    val styles: List<String> get() = synchronized(values) { values.keys.toList() }

    /**
     * Adds a style, or replaces the one of its name.
     *
     * @param name its name in [model].
     * @param file the bytes of `NAME.style.safetensors`.
     * @throws IllegalArgumentException if this is not a style file, or the style of another network.
     */
    fun add(name: String, file: ByteArray) {
        val bytes = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN)
        val length = if (file.size < HEADER) -1L else bytes.getLong(0)
        require(length in 0..(file.size - HEADER).toLong()) { "$name is not a style file; download it again" }
        val header = String(file, HEADER, length.toInt(), Charsets.UTF_8)
        val count = places.sumOf { it.count }
        require(network in header && file.size == HEADER + length.toInt() + BYTES * count) {
            "$name is a style of another network; use one that was trained with this store"
        }
        val floats = FloatArray(count)
        bytes.position(HEADER + length.toInt())
        bytes.slice().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(floats)
        require(floats.all { it.isFinite() }) { "$name is not a style file; download it again" }
        synchronized(values) { values[name] = floats }
    }

    /** Returns the model of a style, for `StyleTransfer`. */
    fun model(style: String): ByteBuffer = model(mapOf(style to 1f))

    /**
     * Returns the model of a blend, for `StyleTransfer`.
     *
     * @param weights the weights of styles by name, from 0 to 1, which sum to 1.
     * @throws IllegalArgumentException if a style was not added, or the weights do not sum to 1.
     */
    fun model(weights: Map<String, Float>): ByteBuffer {
        val sum = weights.values.sum()
        require(weights.values.all { it in 0f..1f } && sum in 1 - ROUNDING..1 + ROUNDING) {
            "The weights sum to $sum; they must be from 0 to 1 and sum to 1"
        }
        val blend = FloatArray(places.sumOf { it.count })
        for ((name, weight) in weights) {
            val style = synchronized(values) { values[name] }
            requireNotNull(style) { "There is no style $name; there are ${styles.joinToString()}" }
            for (i in blend.indices) blend[i] += weight * style[i]
        }
        val result = ByteBuffer.allocateDirect(model.size).order(ByteOrder.LITTLE_ENDIAN)
        result.put(model)
        var next = 0
        for (place in places) {
            for (i in 0 until place.count) result.putFloat(place.offset + BYTES * i, blend[next++])
        }
        result.rewind()
        return result
    }

    private class Place(val offset: Int, val count: Int)

    private companion object {
        const val FORMAT = "impasto-store-1"
        const val SUFFIX = ".style.safetensors"
        const val HEADER = 8 // bytes: the length of the header of a safetensors file
        const val BYTES = 4 // of a float
        const val ROUNDING = 1e-3f
    }
}
