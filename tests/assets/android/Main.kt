import android.content.Context
import android.content.res.AssetManager
import android.graphics.Bitmap
import android.system.Os
import impasto.StyleTransfer
import impasto.StyleTransferLarge
import java.io.File
import java.nio.ByteBuffer
import kotlin.concurrent.thread

/**
 * One photo: `name width height config alpha premultiplied strength measured`, its bytes in `name.rgba`; then, if any,
 * `keepColors`, and the mask: `width height config invert`, its bytes in `name.mask`.
 */
private class Case(line: String, val folder: File) {
    private val words = line.split(" ")
    private val width = words[1].toInt()
    private val height = words[2].toInt()
    private val name = words[0]
    val isLarge = words[7] != "0"
    private val strength = words[6].toFloat()
    private val measured = words[7].toInt()
    private val keepColors = words.getOrNull(8) == "true"
    private val invert = words.getOrNull(12) == "true"
    private val mask = if (words.size < 10) null else Bitmap(
        File(folder, "$name.mask").readBytes(), words[9].toInt(), words[10].toInt(), Bitmap.Config.valueOf(words[11]),
        true, false, false,
    )

    fun stylize(painter: StyleTransfer): Bitmap = paint { painter.stylize(it, strength, keepColors, mask, invert) }

    fun stylize(painter: StyleTransferLarge): Bitmap {
        val told = mutableListOf<Float>()
        val result = paint { painter.stylizeLarge(it, strength, keepColors, mask, invert, measured, told::add) }
        check(told == told.sorted() && (strength == 0f || told.last() == 1f)) { "$name: progress $told" }
        return result
    }

    private fun paint(painted: (Bitmap) -> Bitmap): Bitmap {
        val pixels = File(folder, "$name.rgba").readBytes()
        val config = Bitmap.Config.valueOf(words[3])
        val photo = Bitmap(pixels.clone(), width, height, config, words[4] == "true", words[5] == "true", false)
        val result = painted(photo)
        check(photo.stored().contentEquals(pixels)) { "$name: the photo was changed" }
        check(result.config == Bitmap.Config.ARGB_8888 && result.isMutable) { "$name: ${result.config}" }
        return result
    }

    fun write(result: Bitmap) = File(folder, "$name.out").writeBytes(result.stored())
}

/** The sentence of the error that an action ends with. */
private fun refusal(action: () -> Any): String = try {
    "none: ${action()}"
} catch (error: Exception) {
    "${error.javaClass.simpleName}: ${error.message}"
}

private fun picture(width: Int, height: Int) =
    Bitmap(ByteArray(width * height * 4), width, height, Bitmap.Config.ARGB_8888, false, true, false)

/** Runs StyleTransfer.kt on the cases of a folder that holds model.onnx too; prints what was refused and set. */
fun main(arguments: Array<String>) {
    val folder = File(arguments[0])
    val (largeCases, cases) = File(folder, "cases.txt").readLines().map { Case(it, folder) }.partition { it.isLarge }
    val context = object : Context() {
        override fun getAssets() = AssetManager(folder.toPath())
    }
    val bytes = File(folder, "model.onnx").readBytes()
    val buffer = ByteBuffer.allocateDirect(bytes.size + 8).apply { position(8); put(bytes); position(8) }
    val painters = listOf(
        StyleTransfer(context),
        StyleTransfer(bytes, threads = 1),
        StyleTransfer(ByteBuffer.wrap(bytes)),
        StyleTransfer(buffer),
        StyleTransfer(File(folder, "model.onnx")),
    )
    val results = cases.map { it.stylize(painters[0]) }
    cases.zip(results) { case, result -> case.write(result) }
    for (painter in painters.drop(1)) {
        check(cases[0].stylize(painter).stored().contentEquals(results[0].stored())) { "the constructors differ" }
    }

    var right = 0
    val threads = cases.indices.map { i ->
        thread {
            val same = cases[i].stylize(painters[0]).stored().contentEquals(results[i].stored())
            synchronized(painters) { if (same) right++ }
        }
    }
    threads.forEach { it.join() }
    println("threads right: $right of ${cases.size} right")

    val large = StyleTransferLarge(context, threads = 1)
    val files = StyleTransferLarge(File(folder, "stats.onnx"), File(folder, "tile.onnx"))
    for (case in largeCases) {
        val result = case.stylize(large)
        case.write(result)
        check(case.stylize(files).stored().contentEquals(result.stored())) { "the constructors differ" }
    }
    files.close()
    println("large small: " + refusal { large.stylizeLarge(picture(20, 15)) })
    println("large strength: " + refusal { large.stylizeLarge(picture(20, 20), 1.5f) })
    println("large mask: " + refusal { large.stylizeLarge(picture(20, 20), mask = picture(9, 12)) })
    println("large measured: " + refusal { large.stylizeLarge(picture(20, 20), measured = 0) })
    println("large threads: " + refusal { StyleTransferLarge(context, threads = 0) })
    large.close()
    large.close()
    println("large closed: " + refusal { large.stylizeLarge(picture(20, 20)) })

    println("small: " + refusal { painters[0].stylize(picture(15, 20)) })
    println("strength: " + refusal { painters[0].stylize(picture(20, 20), Float.NaN) })
    println("mask: " + refusal { painters[0].stylize(picture(20, 20), mask = picture(20, 18)) })
    println("model: " + refusal { StyleTransfer(ByteArray(9)) }.substringBefore(":"))
    println("threads: " + refusal { StyleTransfer(bytes, threads = 0) })
    painters.forEach { it.close() }
    painters[0].close()
    println("closed: " + refusal { painters[0].stylize(picture(20, 20)) })
    println("set: " + Os.CALLS.first())
}
