import android.content.Context
import android.content.res.AssetManager
import android.graphics.Bitmap
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import impasto.StyleTransfer
import impasto.StyleTransfer.Accelerator
import java.io.File

/** A photo with edges and gradients. */
internal fun scene(width: Int, height: Int) = Bitmap(
    ByteArray(width * height * 4) { i ->
        val (x, y) = i / 4 % width to i / 4 / width
        if (i % 4 == 3) -1 else (if ((x / 13 + y / 9) % 2 == 0) x * 3 + i % 4 * 40 else 220 - y).toByte()
    },
    width, height, Bitmap.Config.ARGB_8888, false, true, false,
)

private fun describe(style: StyleTransfer) = "${style.accelerator} ${style.fallbackReasons.map { it.substringBefore('\n').take(90) }}"

/**
 * Prints what runs on phones whose GPU is right, wrong, fails later, or is missing. The file of LiteRT is a list of its
 * signatures here, and ONNX Runtime runs in place of a GPU.
 */
internal fun runAcceleration(folder: File, output: File) {
    val gpu = File(output, "gpu").apply { mkdir() }
    File(folder, "model.onnx").copyTo(File(gpu, "model.onnx"), overwrite = true)
    File(gpu, "model.tflite").writeText("...size_64x96...size_96x64...size_96x64...")
    val context = object : Context() {
        override fun getAssets() = AssetManager(gpu.toPath())
    }
    val cpu = StyleTransfer(File(folder, "model.onnx"), Accelerator.Cpu)
    val right = { rgba: ByteArray, width: Int, height: Int ->
        val photo = Bitmap(rgba, width, height, Bitmap.Config.ARGB_8888, false, true, false)
        cpu.stylizeBlocking(photo, strokeResolution = null).bytes()
    }
    val photo = scene(150, 100)
    CompiledModel.network = right
    StyleTransfer(context).use { style ->
        println("gpu: ${describe(style)}")
        val sizes = mutableListOf<String>()
        CompiledModel.network = { rgba, width, height -> right(rgba, width, height).also { sizes += "${width}x$height" } }
        val result = style.stylizeBlocking(photo)
        style.stylizeBlocking(scene(80, 130))
        style.stylizeBlocking(scene(96, 64))
        check(cpu.stylizeBlocking(photo, strokeResolution = null).bytes().contentEquals(style.stylizeBlocking(photo, strokeResolution = null).bytes()))
        val same = cpu.stylizeBlocking(photo, strokeResolution = 64).bytes().contentEquals(result.bytes())
        println("gpu sizes: $sizes, as the CPU at the same size: $same")
        println("gpu buffers: ${CompiledModel.open.size}, trimmed ${style.trim().let { CompiledModel.open.size }}")
        CompiledModel.network = { _, _, _ -> throw LiteRtException("the driver crashed") }
        val fallback = style.stylizeBlocking(photo)
        println("gpu fails: ${describe(style)} ${fallback.bytes().contentEquals(cpu.stylizeBlocking(photo).bytes())}")
        println("gpu fails: open ${CompiledModel.open.size}")
    }
    CompiledModel.network = { rgba, width, height ->
        right(rgba, width, height).also { for (i in it.indices) if (i % 4 == 1) it[i] = (255 - it[i]).toByte() }
    }
    StyleTransfer(context, accelerator = Accelerator.Gpu).use { println("gpu wrong: ${describe(it)}") }
    println("gpu wrong: open ${CompiledModel.open.size}")
    CompiledModel.closing = { throw LiteRtException("the driver is gone") }
    StyleTransfer(context).use { style ->
        println("gpu wrong and not closed: ${describe(style)}".replace(Regex("by [0-9.]+"), "by some"))
        check(style.stylizeBlocking(photo).bytes().contentEquals(cpu.stylizeBlocking(photo).bytes()))
    }
    CompiledModel.closing = {}
    CompiledModel.network = right
    StyleTransfer(File(gpu, "model.onnx"), Accelerator.Auto).use { println("gpu of a file: ${describe(it)}") }
    StyleTransfer(File(folder, "model.onnx")).use { println("gpu without a file: ${describe(it)}") }
    for (accelerator in listOf(Accelerator.WebGpu, Accelerator.Npu, Accelerator.Cpu)) {
        StyleTransfer(context, accelerator = accelerator).use { println("$accelerator: ${describe(it)}") }
    }
    File(folder, "model.npu.onnx").copyTo(File(gpu, "model.npu.onnx"), overwrite = true)
    StyleTransfer(context, accelerator = Accelerator.Npu).use { println("Npu with a file: ${describe(it)}") }
    runNpuNetwork(folder, cpu)
    println("open at the end: ${CompiledModel.open.size}")
    cpu.close()
}
