import android.content.Context
import android.content.res.AssetManager
import android.graphics.Bitmap
import android.opengl.GLES20
import androidx.camera.core.ImageInfo
import androidx.camera.core.ImageProxy
import androidx.media3.effect.BaseGlShaderProgram
import impasto.StyleTransfer
import impasto.StyleTransfer.Accelerator
import impasto.StyleTransferAnalyzer
import impasto.StyleTransferEffect
import impasto.StyleTransferFrames
import impasto.TemporalFilter
import impasto.upright
import java.io.File
import kotlinx.coroutines.runBlocking

private fun gray(width: Int, height: Int, value: (x: Int, y: Int) -> Int) = Bitmap(
    ByteArray(width * height * 4) { if (it % 4 == 3) -1 else value(it / 4 % width, it / 4 / width).toByte() },
    width, height, Bitmap.Config.ARGB_8888, false, true, true,
)

private fun Bitmap.at(x: Int, y: Int) = bytes()[(y * width + x) * 4].toInt() and 255

/** Prints what is done to frames of a camera and a video, and to photos of any orientation. */
internal fun runFrames(folder: File) {
    filterFrames()
    // Of 3 x 2 pixels 0 1 2 / 3 4 5, as they are stored.
    for (orientation in 1..8) {
        val photo = upright(gray(3, 2) { x, y -> y * 3 + x }, orientation)
        println("orientation $orientation: ${photo.width}x${photo.height} ${photo.bytes().filterIndexed { i, _ -> i % 4 == 0 }}")
    }
    StyleTransfer(File(folder, "model.onnx"), Accelerator.Cpu).use { style ->
        analyzeFrames(style)
        renderFrames(style)
    }
}

private fun filterFrames() {
    val filter = TemporalFilter(0.75f)
    val scene = { shift: Int -> gray(64, 48) { x, _ -> if (x - shift in 40..50) 250 else 60 } }
    val first = gray(64, 48) { _, _ -> 100 }
    filter.apply(scene(0), first)
    val second = gray(64, 48) { _, _ -> 140 }
    filter.apply(scene(0), second)
    val third = gray(64, 48) { _, _ -> 180 }
    filter.apply(scene(8), third)
    println("filter: still ${second.at(5, 5)} ${second.at(60, 40)}, later ${third.at(5, 5)}, moving ${third.at(44, 20)} ${third.at(56, 20)}")
    filter.reset()
    val fourth = gray(64, 48) { _, _ -> 200 }
    filter.apply(scene(8), fourth)
    println("filter reset: ${fourth.at(5, 5)}")
}

private class Frame(private val bitmap: Bitmap, override val imageInfo: ImageInfo) : ImageProxy {
    var isClosed = false

    override fun toBitmap() = bitmap

    override fun close() {
        isClosed = true
    }
}

private fun analyzeFrames(style: StyleTransfer) {
    val results = mutableListOf<Bitmap>()
    val errors = mutableListOf<Exception>()
    val frames = StyleTransferFrames(style, temporalSmoothing = 0f)
    val analyzer = StyleTransferAnalyzer(frames, errors::add, results::add)
    val turned = Frame(scene(80, 60), object : ImageInfo { override val rotationDegrees = 90 })
    analyzer.analyze(turned)
    val straight = Frame(scene(80, 60), object : ImageInfo { override val rotationDegrees = 0 })
    repeat(4) { analyzer.analyze(straight) }
    val expected = style.stylizeBlocking(upright(scene(80, 60), 6))
    println("camera: ${results[0].width}x${results[0].height} ${turned.isClosed && straight.isClosed} ${results[0].bytes().contentEquals(expected.bytes())}")
    println("camera reuses: ${results[1] === results[4]} ${results.subList(1, 4).distinctBy { System.identityHashCode(it) }.size}")
    analyzer.analyze(Frame(blank(15, 15), straight.imageInfo))
    println("camera error: ${errors.single().message}")
    println("camera smoothing: " + errorOf { StyleTransferFrames(style, temporalSmoothing = 1f) })
    println("frames suspend: " + runBlocking { frames.stylize(scene(80, 60)).bytes().contentEquals(results[1].bytes()) })
}

/** Runs the effect on two textures as Media3 does: it binds the framebuffer of the output texture before each frame. */
private fun renderFrames(style: StyleTransfer) {
    val context = object : Context() {
        override fun getAssets() = AssetManager(File(".").toPath())
    }
    val effect = StyleTransferEffect(style) { StyleTransferFrames(it, strength = 0.8f, temporalSmoothing = 0f) }
    println("effect hdr: " + errorOf { effect.toGlShaderProgram(context, true) })
    val program = effect.toGlShaderProgram(context, false) as BaseGlShaderProgram
    val photo = scene(70, 50)
    val flipped = upright(photo, 4).bytes()
    GLES20.TEXTURES += mapOf(7 to flipped, 8 to ByteArray(flipped.size))
    GLES20.FRAMEBUFFERS[99] = 8
    val size = program.configure(70, 50)
    GLES20.glBindFramebuffer(GLES20.GL_FRAMEBUFFER, 99)
    program.drawFrame(7, 0)
    val bound = IntArray(1).also { GLES20.glGetIntegerv(GLES20.GL_FRAMEBUFFER_BINDING, it, 0) }[0]
    val expected = upright(style.stylizeBlocking(photo, 0.8f), 4).bytes()
    println("effect: ${size.width}x${size.height} ${GLES20.TEXTURES[8]!!.contentEquals(expected)} $bound")
    program.release()
    println("effect released: ${GLES20.FRAMEBUFFERS.keys}")
    GLES20.TEXTURES[7] = ByteArray(15 * 15 * 4)
    program.configure(15, 15)
    println("effect error: " + errorOf { program.drawFrame(7, 5) }.substringBefore(":"))
}
