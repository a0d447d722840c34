import android.content.Context
import android.content.res.AssetManager
import android.graphics.Bitmap
import android.graphics.ColorSpace
import android.os.Build
import android.system.Os
import impasto.StyleTransfer
import impasto.StyleTransferGrain
import impasto.StyleTransferLarge
import impasto.allocate
import java.io.File
import java.nio.ByteBuffer
import java.util.zip.CRC32
import kotlin.concurrent.thread

/**
 * A photo and its settings. The fields of the line are the name, width, height, config, alpha, premultiplied, strength
 * and thumbnailPixels (0: not in tiles), optionally followed by keepColors and by the mask's width, height, config and
 * invert. A config may have a color space: `ARGB_8888:DISPLAY_P3`. The bytes of the photo are in `name.rgba`, those of
 * the mask in `name.mask`; the bytes of the result are written to `output`.
 */
private class Case(line: String, folder: File, private val output: File) {
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
    private val pixels = File(folder, "$name.rgba").readBytes()
    val isLarge = thumbnailPixels > 0

    fun run(style: StyleTransfer, strokeResolution: Int? = style.strokeResolution): Bitmap =
        checked { style.stylizeBlocking(it, strength, keepColors, mask, invert, strokeResolution) }

    /** Native by default: the photos of these cases are larger than the default of models without a resolution. */
    fun run(style: StyleTransferLarge, strokeResolution: Int? = null): Bitmap {
        val fractions = mutableListOf<Float>()
        val result = checked {
            style.stylizeLargeBlocking(
                it, strength, keepColors, mask, invert, strokeResolution, null, thumbnailPixels, fractions::add,
            )
        }
        check(fractions == fractions.sorted() && (strength == 0f || fractions.last() == 1f)) {
            "$name: the progress was $fractions"
        }
        return result
    }

    private fun checked(stylize: (Bitmap) -> Bitmap): Bitmap {
        val (config, colorSpace) = "${fields[3]}:".split(":")
        val hasAlpha = fields[4] == "true"
        val premultiplied = fields[5] == "true"
        val photo = Bitmap(pixels.clone(), width, height, Bitmap.Config.valueOf(config), hasAlpha, premultiplied, false)
        photo.density = 320
        if (colorSpace != "") photo.setColorSpace(ColorSpace.get(ColorSpace.Named.valueOf(colorSpace)))
        val result = stylize(photo)
        check(photo.bytes().contentEquals(pixels)) { "$name: the photo was modified" }
        check(result.config == Bitmap.Config.ARGB_8888 && result.isMutable) { "$name: ${result.config}" }
        check(result.density == 320 && result.hasAlpha() == hasAlpha) { "$name: ${result.density}" }
        check(result.isPremultiplied == (hasAlpha && premultiplied)) { "$name: premultiplied" }
        check(Build.VERSION.SDK_INT < 26 || result.colorSpace?.isSrgb == true) { "$name: ${result.colorSpace}" }
        return result
    }

    fun write(result: Bitmap) = File(output, "$name.out").writeBytes(result.bytes())
}

/** Returns the class and message of the exception that an action throws. */
internal fun errorOf(action: () -> Any): String = try {
    "none: ${action()}"
} catch (error: Exception) {
    "${error.javaClass.simpleName}: ${error.message}"
}

internal fun blank(width: Int, height: Int) =
    Bitmap(ByteArray(width * height * 4), width, height, Bitmap.Config.ARGB_8888, false, true, false)

/**
 * Runs the cases of strokes.txt, whose lines begin with a stroke resolution in pixels, or with `default` or `native`, on
 * models with a stroke resolution, which are in the folder `strokes`.
 */
private fun runStrokes(folder: File, output: File) {
    val models = File(folder, "strokes")
    val style = StyleTransfer(File(models, "model.onnx"))
    val large = StyleTransferLarge(File(models, "stats.onnx"), File(models, "tile.onnx"))
    println("stroke resolutions: ${style.strokeResolution} ${large.strokeResolution}")
    val grain = allocate(530 * 700 * 4).also { while (it.hasRemaining()) it.put(128.toByte()) }
    StyleTransferGrain(3.5).addTo(grain, 700)
    println("grain: " + CRC32().apply { update(grain.rewind() as ByteBuffer) }.value)
    for (line in File(output, "strokes.txt").readLines()) {
        val (resolution, fields) = line.split(" ", limit = 2)
        val case = Case(fields, folder, output)
        case.write(
            when {
                resolution == "default" && case.isLarge -> case.run(large, large.strokeResolution)
                resolution == "default" -> case.run(style)
                case.isLarge -> case.run(large, resolution.toIntOrNull())
                else -> case.run(style, resolution.toIntOrNull())
            },
        )
    }
    println("strokes: " + errorOf { style.stylizeBlocking(blank(20, 20), strokeResolution = 15) })
    println("large strokes: " + errorOf { large.stylizeLargeBlocking(blank(20, 20), strokeResolution = 15) })
    style.close()
    large.close()
}

private fun contextOf(folder: File) = object : Context() {
    override fun getAssets() = AssetManager(folder.toPath())
}

/** Compares the constructors, and calls from several threads, with the [results] of [cases] by [style]. */
private fun compareWays(folder: File, style: StyleTransfer, cases: List<Case>, results: List<Bitmap>) {
    val bytes = File(folder, "model.onnx").readBytes()
    val buffer = ByteBuffer.allocateDirect(bytes.size + 8).apply { position(8); put(bytes); position(8) }
    val styles = listOf(
        StyleTransfer(ByteBuffer.wrap(bytes), threads = 1),
        StyleTransfer(buffer),
        StyleTransfer(File(folder, "model.onnx")),
    )
    for (other in styles) {
        check(cases[0].run(other).bytes().contentEquals(results[0].bytes())) { "the constructors differ" }
        other.close()
    }
    var equal = 0
    val threads = cases.indices.map { i ->
        thread {
            val isEqual = cases[i].run(style).bytes().contentEquals(results[i].bytes())
            synchronized(styles) { if (isEqual) equal++ }
        }
    }
    threads.forEach { it.join() }
    println("threads equal: $equal of ${cases.size}")
    println("threads: " + errorOf { StyleTransfer(ByteBuffer.wrap(bytes), threads = 0) })
}

/**
 * Runs the clients on the models of a folder and the cases of another, to which the results are written. With a third
 * argument, it also prints errors, environment variables and what [runLifecycle] prints.
 */
fun main(arguments: Array<String>) {
    val folder = File(arguments[0])
    val output = File(arguments[1])
    val (largeCases, cases) = File(output, "cases.txt").readLines().map { Case(it, folder, output) }
        .partition { it.isLarge }
    val style = StyleTransfer(contextOf(folder))
    val large = StyleTransferLarge(contextOf(folder), threads = 1)
    check(style.strokeResolution == 1024 && large.strokeResolution == 1024) { "models without stroke resolution" }
    val results = cases.map { it.run(style) }
    cases.zip(results) { case, result -> case.write(result) }
    val largeResults = largeCases.map { it.run(large) }
    largeCases.zip(largeResults) { case, result -> case.write(result) }
    runStrokes(folder, output)
    println("model: " + errorOf { StyleTransfer(ByteBuffer.allocate(9)) }.substringBefore(":"))
    if (arguments.size > 2) {
        compareWays(folder, style, cases, results)
        val files = StyleTransferLarge(File(folder, "stats.onnx"), File(folder, "tile.onnx"))
        check(largeCases[0].run(files).bytes().contentEquals(largeResults[0].bytes())) { "the constructors differ" }
        files.close()
        runLifecycle(folder)
        runAcceleration(folder, output)
        runCoroutines(folder)
        runFrames(folder)
        printErrors(folder, style, large)
    }
    style.close()
    large.close()
}

private fun printErrors(folder: File, style: StyleTransfer, large: StyleTransferLarge) {
    println("large small: " + errorOf { large.stylizeLargeBlocking(blank(20, 15)) })
    println("large strength: " + errorOf { large.stylizeLargeBlocking(blank(20, 20), 1.5f) })
    println("large mask: " + errorOf { large.stylizeLargeBlocking(blank(20, 20), mask = blank(9, 12)) })
    println("large pixels: " + errorOf { large.stylizeLargeBlocking(blank(20, 20), thumbnailPixels = 0) })
    println("large threads: " + errorOf { StyleTransferLarge(contextOf(folder), threads = 0) })
    println("small: " + errorOf { style.stylizeBlocking(blank(15, 20)) })
    println("strength: " + errorOf { style.stylizeBlocking(blank(20, 20), Float.NaN) })
    println("mask: " + errorOf { style.stylizeBlocking(blank(20, 20), mask = blank(20, 18)) })
    println("set: " + Os.CALLS.first())
}
