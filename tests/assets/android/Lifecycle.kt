import android.graphics.Bitmap
import impasto.StyleTransfer
import impasto.StyleTransferLarge
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

/** Prints what closing and trimming do, while a photo is stylized and otherwise. */
internal fun runLifecycle(folder: File) {
    val model = File(folder, "model.onnx")
    closeWhileRunning("close", { StyleTransfer(model) }, StyleTransfer::close, ::stylizeWithHook)
    closeWhileRunning("trim", { StyleTransfer(model) }, StyleTransfer::trim, ::stylizeWithHook)
    val large = { StyleTransferLarge(File(folder, "stats.onnx"), File(folder, "tile.onnx")) }
    closeWhileRunning("large close", large, StyleTransferLarge::close) { style, pause ->
        style.stylizeLargeBlocking(blank(250, 150)) { pause() }
    }
    println("large closed: " + errorOf { large().also { it.close(); it.close() }.stylizeLargeBlocking(blank(20, 20)) })

    val style = StyleTransfer(model)
    style.stylizeBlocking(blank(100, 50))
    val kept = buffersOf(style) != null
    style.trim()
    val trimmed = buffersOf(style) == null
    style.stylizeBlocking(blank(100, 50))
    style.stylizeBlocking(blank(2100, 1000), strokeResolution = null)
    println("buffers: kept $kept, trimmed $trimmed, large released ${buffersOf(style) == null}")
    style.close()
    style.close()
    println("closed: " + errorOf { style.stylizeBlocking(blank(20, 20)) })
    // As an app does that shows progress, and closes the model on an error.
    println("large closed inside: " + errorOf { large().let { it.stylizeLargeBlocking(blank(250, 150)) { _ -> it.close() } }.width })
}

private fun stylizeWithHook(style: StyleTransfer, pause: () -> Unit): Bitmap {
    Bitmap.onCopyPixels = Runnable { pause() }
    return style.stylizeBlocking(blank(100, 50)).also { Bitmap.onCopyPixels = Runnable {} }
}

private fun buffersOf(style: StyleTransfer): Any? = fieldOf(fieldOf(style, "pipeline")!!, "buffers")

private fun fieldOf(owner: Any, name: String): Any? =
    owner.javaClass.getDeclaredField(name).apply { isAccessible = true }.get(owner)

/** Prints whether [release] returns while a photo is stylized, and the photo is completed. */
private fun <T> closeWhileRunning(
    name: String,
    open: () -> T,
    release: (T) -> Unit,
    stylize: (T, pause: () -> Unit) -> Bitmap,
) {
    val style = open()
    val running = CountDownLatch(1)
    val resume = CountDownLatch(1)
    var result = "nothing"
    val photo = thread {
        result = errorOf {
            stylize(style) {
                running.countDown()
                resume.await()
            }.width
        }
    }
    running.await()
    val closer = thread { release(style) }
    closer.join(TimeUnit.SECONDS.toMillis(20))
    val returned = !closer.isAlive
    resume.countDown()
    photo.join()
    closer.join()
    println("$name while running: returned $returned, photo $result")
    if (style is StyleTransfer && name == "trim") {
        println("trim afterwards: " + if (buffersOf(style) == null) "released" else "kept")
        style.close()
    }
}
