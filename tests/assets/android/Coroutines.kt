import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import android.graphics.Bitmap
import impasto.Cancellation
import impasto.ImageSize
import impasto.NpuNetwork
import impasto.OrtNetwork
import impasto.StyleTransfer
import impasto.StyleTransfer.Accelerator
import impasto.StyleTransferLarge
import impasto.allocate
import impasto.createEnvironment
import java.io.File
import java.util.concurrent.CancellationException
import kotlin.concurrent.thread
import kotlin.math.abs
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking

/** Prints what the suspending functions return, and what cancelling them does. */
internal fun runCoroutines(folder: File) = runBlocking {
    val style = StyleTransfer.open(File(folder, "model.onnx"), Accelerator.Cpu)
    val photo = scene(150, 100)
    val expected = style.stylizeBlocking(photo, 0.7f, strokeResolution = 50).bytes()
    println("suspend: ${style.stylize(photo, 0.7f, strokeResolution = 50).bytes().contentEquals(expected)}")
    reuse(style, photo, expected)

    val large = StyleTransferLarge(File(folder, "stats.onnx"), File(folder, "tile.onnx"))
    val fractions = mutableListOf<Float>()
    val firstTile = CompletableDeferred<Unit>()
    val cancelled = CompletableDeferred<Unit>()
    val job = async(Dispatchers.Default) {
        large.stylizeLarge(blank(250, 150)) {
            fractions += it
            firstTile.complete(Unit)
            runBlocking { cancelled.await() }
        }
    }
    firstTile.await()
    // A photo that waits for another one is cancelled, too.
    val waiting = async(Dispatchers.Default) { large.stylizeLarge(blank(250, 150)) }
    waiting.cancel()
    waiting.join()
    job.cancel()
    cancelled.complete(Unit)
    job.join()
    println("cancelled tiles: ${fractions.size}, usable ${large.stylizeLarge(blank(250, 150)).width}")
    large.close()
    cancelNetwork(folder)
    style.close()
    println("closed suspend: " + errorOf { runBlocking { style.stylize(blank(20, 20)) } })
    println("open suspend: " + errorOf { runBlocking { StyleTransfer.open(File(folder, "none.onnx")) } }.substringBefore(":"))
}

private fun reuse(style: StyleTransfer, photo: Bitmap, expected: ByteArray) {
    val into = Bitmap(ByteArray(150 * 100 * 4) { 77 }, 150, 100, Bitmap.Config.ARGB_8888, true, false, true)
    val result = style.stylizeBlocking(photo, 0.7f, strokeResolution = 50, into = into)
    println("into: ${result === into} ${result.bytes().contentEquals(expected)} ${result.hasAlpha()}")
    println("into the photo: " + errorOf { style.stylizeBlocking(into, into = into) })
    println("into of another size: " + errorOf { style.stylizeBlocking(blank(20, 20), into = into) })
    val fixed = Bitmap(ByteArray(150 * 100 * 4), 150, 100, Bitmap.Config.ARGB_8888, true, true, false)
    println("into of another kind: " + errorOf { style.stylizeBlocking(photo, into = fixed) })
}

/** Cancels a run of the network, which ends before it is complete. */
private fun cancelNetwork(folder: File) {
    val environment = createEnvironment()
    val session = environment.createSession(File(folder, "model.onnx").path, OrtSession.SessionOptions())
    val size = ImageSize(1600, 1200)
    val network = OrtNetwork(environment, session, Accelerator.Cpu)
    val cancellation = Cancellation()
    val running = Cancellation::class.java.getDeclaredField("stop").apply { isAccessible = true }
    val canceller = thread {
        while (running.get(cancellation) == null) Thread.sleep(1)
        Thread.sleep(20)
        cancellation.cancel()
    }
    val result = try {
        network.run(allocate(size.pixels * 4), allocate(size.pixels * 4), size, cancellation)
        "completed"
    } catch (error: CancellationException) {
        "cancelled by ${(error.cause as? OrtException)?.message?.substringAfter("message: ")}"
    }
    canceller.join()
    println("network: $result")
    network.close()
}

/** Compares the network of floats, which a phone runs on its NPU, with that of bytes. */
internal fun runNpuNetwork(folder: File, cpu: StyleTransfer) {
    val environment = createEnvironment()
    val file = File(folder, "model.npu.onnx")
    val network = NpuNetwork(environment, environment.createSession(file.path, OrtSession.SessionOptions()))
    val size = network.sizes.single()
    val photo = scene(size.width, size.height)
    val input = allocate(size.pixels * 4).apply { put(photo.bytes()) }
    val output = allocate(size.pixels * 4)
    network.run(input, output, size, Cancellation())
    val expected = cpu.stylizeBlocking(photo, strokeResolution = null).bytes()
    val largest = expected.indices.maxOf { abs((expected[it].toInt() and 255) - (output.get(it).toInt() and 255)) }
    println("Npu network: $size, largest difference $largest")
    network.close()
}
