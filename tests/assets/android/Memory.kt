import android.graphics.Bitmap
import impasto.StyleTransfer
import java.io.File

/** Stylizes a photo of 12 megapixels at a stroke resolution of 1024 px, and prints the most memory of the process. */
internal object Memory {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val photo = Bitmap(ByteArray(4000 * 3000 * 4), 4000, 3000, Bitmap.Config.ARGB_8888, false, true, false)
        for (i in photo.bytes().indices) photo.bytes()[i] = if (i % 4 == 3) -1 else (i / 7919 + i % 251).toByte()
        StyleTransfer(File(arguments[0]), StyleTransfer.Accelerator.Cpu).use { it.stylizeBlocking(photo, strokeResolution = 1024) }
        println(File("/proc/self/status").readLines().first { it.startsWith("VmHWM") }.filter { it.isDigit() })
    }
}
