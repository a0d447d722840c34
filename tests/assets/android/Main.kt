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
 * A photo and its settings. The fields of the line are the name, width, height, config, alpha, premultiplied, strength
 * and thumbnailPixels (0: not in tiles), optionally followed by keepColors and by the mask's width, height, config and
 * invert. The bytes of the photo are in `name.rgba`, those of the mask in `name.mask`.
 */
private class Case(line: String, val folder: File) {
    private val fields = line.split(" ")
    private val name = fields[0]
    private val width = fields[1].toInt()
    private val height = fields[2].toInt()
    private val strength = fields[6].toFloat()
    private val thumbnailPixels = fields[7].toInt()
    private val keepColors = fields.getOrNull(8) == "true"
    private val invert = fields.getOrNull(12) == "true"
    private val mask = if (fields.size < 10) null else Bitmap(
        File(folder, "$name.mask").readBytes(),
        fields[9].toInt(),
        fields[10].toInt(),
        Bitmap.Config.valueOf(fields[11]),
        true,
        false,
        false,
    )
    val isLarge = thumbnailPixels > 0

    fun run(style: StyleTransfer, strokeResolution: Int? = style.strokeResolution): Bitmap =
        checked { style.stylize(it, strength, keepColors, mask, invert, strokeResolution) }

    fun run(style: StyleTransferLarge, strokeResolution: Int? = style.strokeResolution): Bitmap {
        val fractions = mutableListOf<Float>()
        val result = checked {
            style.stylizeLarge(
                it, strength, keepColors, mask, invert, strokeResolution, thumbnailPixels, fractions::add,
            )
        }
        check(fractions == fractions.sorted() && (strength == 0f || fractions.last() == 1f)) {
            "$name: the progress was $fractions"
        }
        return result
    }

    private fun checked(stylize: (Bitmap) -> Bitmap): Bitmap {
        val pixels = File(folder, "$name.rgba").readBytes()
        val config = Bitmap.Config.valueOf(fields[3])
        val photo = Bitmap(pixels.clone(), width, height, config, fields[4] == "true", fields[5] == "true", false)
        val result = stylize(photo)
        check(photo.bytes().contentEquals(pixels)) { "$name: the photo was modified" }
        check(result.config == Bitmap.Config.ARGB_8888 && result.isMutable) { "$name: ${result.config}" }
        return result
    }

    fun write(result: Bitmap) = File(folder, "$name.out").writeBytes(result.bytes())
}

/** Returns the class and message of the exception that an action throws. */
private fun errorOf(action: () -> Any): String = try {
    "none: ${action()}"
} catch (error: Exception) {
    "${error.javaClass.simpleName}: ${error.message}"
}

private fun blank(width: Int, height: Int) =
    Bitmap(ByteArray(width * height * 4), width, height, Bitmap.Config.ARGB_8888, false, true, false)

/**
 * Runs the cases of strokes.txt, whose lines begin with a stroke resolution in pixels, or with `default` or `native`, on
 * models with a stroke resolution, which are in the folder `strokes`.
 */
private fun runStrokes(folder: File) {
    val models = File(folder, "strokes")
    val style = StyleTransfer(File(models, "model.onnx"))
    val large = StyleTransferLarge(File(models, "stats.onnx"), File(models, "tile.onnx"))
    println("stroke resolutions: ${style.strokeResolution} ${large.strokeResolution}")
    for (line in File(folder, "strokes.txt").readLines()) {
        val (resolution, fields) = line.split(" ", limit = 2)
        val case = Case(fields, folder)
        case.write(
            when {
                resolution == "default" && case.isLarge -> case.run(large)
                resolution == "default" -> case.run(style)
                case.isLarge -> case.run(large, resolution.toIntOrNull())
                else -> case.run(style, resolution.toIntOrNull())
            },
        )
    }
    println("strokes: " + errorOf { style.stylize(blank(20, 20), strokeResolution = 15) })
    println("large strokes: " + errorOf { large.stylizeLarge(blank(20, 20), strokeResolution = 15) })
    style.close()
    large.close()
}

/** Runs the clients on the cases and models of a folder, and prints errors and environment variables. */
fun main(arguments: Array<String>) {
    val folder = File(arguments[0])
    val (largeCases, cases) = File(folder, "cases.txt").readLines().map { Case(it, folder) }.partition { it.isLarge }
    val context = object : Context() {
        override fun getAssets() = AssetManager(folder.toPath())
    }
    val bytes = File(folder, "model.onnx").readBytes()
    val buffer = ByteBuffer.allocateDirect(bytes.size + 8).apply { position(8); put(bytes); position(8) }
    val styles = listOf(
        StyleTransfer(context),
        StyleTransfer(bytes, threads = 1),
        StyleTransfer(ByteBuffer.wrap(bytes)),
        StyleTransfer(buffer),
        StyleTransfer(File(folder, "model.onnx")),
    )
    val results = cases.map { it.run(styles[0]) }
    cases.zip(results) { case, result -> case.write(result) }
    for (style in styles.drop(1)) {
        check(cases[0].run(style).bytes().contentEquals(results[0].bytes())) { "the constructors differ" }
    }

    var equal = 0
    val threads = cases.indices.map { i ->
        thread {
            val isEqual = cases[i].run(styles[0]).bytes().contentEquals(results[i].bytes())
            synchronized(styles) { if (isEqual) equal++ }
        }
    }
    threads.forEach { it.join() }
    println("threads equal: $equal of ${cases.size}")

    val large = StyleTransferLarge(context, threads = 1)
    val files = StyleTransferLarge(File(folder, "stats.onnx"), File(folder, "tile.onnx"))
    for (case in largeCases) {
        val result = case.run(large)
        case.write(result)
        check(case.run(files).bytes().contentEquals(result.bytes())) { "the constructors differ" }
    }
    files.close()
    check(styles[0].strokeResolution == null && large.strokeResolution == null) { "models without stroke resolution" }
    runStrokes(folder)
    println("large small: " + errorOf { large.stylizeLarge(blank(20, 15)) })
    println("large strength: " + errorOf { large.stylizeLarge(blank(20, 20), 1.5f) })
    println("large mask: " + errorOf { large.stylizeLarge(blank(20, 20), mask = blank(9, 12)) })
    println("large pixels: " + errorOf { large.stylizeLarge(blank(20, 20), thumbnailPixels = 0) })
    println("large threads: " + errorOf { StyleTransferLarge(context, threads = 0) })
    large.close()
    large.close()
    println("large closed: " + errorOf { large.stylizeLarge(blank(20, 20)) })

    println("small: " + errorOf { styles[0].stylize(blank(15, 20)) })
    println("strength: " + errorOf { styles[0].stylize(blank(20, 20), Float.NaN) })
    println("mask: " + errorOf { styles[0].stylize(blank(20, 20), mask = blank(20, 18)) })
    println("model: " + errorOf { StyleTransfer(ByteArray(9)) }.substringBefore(":"))
    println("threads: " + errorOf { StyleTransfer(bytes, threads = 0) })
    styles.forEach { it.close() }
    styles[0].close()
    println("closed: " + errorOf { styles[0].stylize(blank(20, 20)) })
    println("set: " + Os.CALLS.first())
}
