import android.content.Context
import android.content.res.AssetManager
import impasto.StyleTransferStore
import java.io.File
import java.nio.ByteBuffer
import java.nio.file.Paths

private fun ByteBuffer.write(file: File) = file.writeBytes(ByteArray(remaining()).also { get(it) })

private fun errorOf(action: () -> Any): String = try {
    "none: ${action()}"
} catch (error: IllegalArgumentException) {
    "${error.message}"
}

/** Writes models of styles and a blend, and prints the styles and the errors. The assets are in the folder args[0]. */
fun main(args: Array<String>) {
    val folder = File(args[0])
    val context = object : Context() {
        override fun getAssets() = AssetManager(Paths.get(args[0]))
    }
    val store = StyleTransferStore(context)
    println(store.styles)
    store.model("second").write(File(folder, "second.onnx"))
    store.model(mapOf("first" to 0.25f, "third" to 0.75f)).write(File(folder, "blend.onnx"))
    val file = File(folder, "store/second.style.safetensors").readBytes()
    store.add("again", file)
    store.model("again").write(File(folder, "again.onnx"))
    println(errorOf { store.model("fourth") })
    println(errorOf { store.model(mapOf("first" to 0.5f)) })
    println(errorOf { store.add("other", File(folder, "other.style.safetensors").readBytes()) })
    println(errorOf { store.add("short", file.copyOf(file.size - 4)) })
    println(errorOf { store.add("text", "no".toByteArray()) })
    println(errorOf { store.add("nan", file.copyOf().also { it.fill(-1, file.size - 4) }) })
    println(errorOf { StyleTransferStore(ByteArray(9), "impasto-store-1\nnetwork a\nnorms 8:1\n") })
    println(errorOf { StyleTransferStore(ByteArray(9), "text") })
}
