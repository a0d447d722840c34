// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto.sample

import android.app.Application
import android.graphics.Bitmap
import android.net.Uri
import android.util.Log
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.setValue
import androidx.lifecycle.AndroidViewModel
import androidx.lifecycle.viewModelScope
import impasto.StyleTransfer
import impasto.StyleTransferFrames
import impasto.readPhoto
import java.io.IOException
import kotlin.math.max
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** A folder of `assets/styles`, with model.onnx, name.txt and perhaps model.tflite. */
data class Style(val folder: String, val name: String)

/** What the screen shows. */
class StyleViewModel(application: Application) : AndroidViewModel(application) {
    val styles: List<Style> = application.assets.list("styles").orEmpty().map { folder ->
        val name = application.assets.open("styles/$folder/name.txt").use { it.readBytes() }
        Style(folder, String(name, Charsets.UTF_8).trim())
    }
    var style by mutableStateOf(styles.first())
        private set
    var strength by mutableStateOf(1f)
        private set
    var result by mutableStateOf<Bitmap?>(null)
        private set
    /** [result] as it is drawn. */
    var preview by mutableStateOf<Bitmap?>(null)
        private set
    var isBusy by mutableStateOf(false)
        private set
    var message by mutableStateOf<String?>(null)
        private set

    private var photo: Bitmap? = null
    private var opened: Pair<Style, StyleTransfer>? = null
    private var job: Job? = null
    private var startCamera: ((StyleTransferFrames) -> Unit)? = null

    fun pick(uri: Uri) = run {
        photo = withContext(Dispatchers.IO) { readPhoto(getApplication<Application>().contentResolver, uri) }
        stylize()
    }

    fun choose(style: Style) {
        this.style = style
        run { stylize() }
    }

    fun changeStrength(value: Float) {
        strength = value
        run { stylize() }
    }

    /** Saves the result to the gallery; then shows [done], and calls [share]. */
    fun save(done: String?, share: (Uri) -> Unit = {}) {
        val bitmap = result ?: return
        viewModelScope.launch {
            try {
                share(withContext(Dispatchers.IO) { saveToGallery(getApplication<Application>().contentResolver, bitmap) })
                message = done
            } catch (error: IOException) {
                message = error.message
            }
        }
    }

    /** Shows a frame of the camera, on the camera's thread: the bitmap is reused for a later frame. */
    fun show(frame: Bitmap) {
        val copy = frame.copy(Bitmap.Config.ARGB_8888, false)
        viewModelScope.launch {
            if (startCamera != null) {
                result = copy
                preview = copy
            }
        }
    }

    /** Calls [start] with what stylizes the frames, now and when the style or the strength changes. */
    fun openCamera(start: (StyleTransferFrames) -> Unit) {
        startCamera = start
        run { stylize() }
    }

    fun closeCamera() {
        startCamera = null
    }

    fun trim() {
        opened?.second?.trim()
    }

    override fun onCleared() {
        opened?.second?.close()
    }

    private suspend fun stylize() {
        val transfer = open()
        val start = startCamera
        val photo = photo
        when {
            start != null -> start(StyleTransferFrames(transfer, strength, strokeResolution = CAMERA_RESOLUTION))
            photo != null -> {
                val picture = transfer.stylize(photo, strength)
                result = picture // can be saved even if there is no memory to reduce it
                preview = withContext(Dispatchers.Default) { drawable(picture) }
            }
        }
    }

    private suspend fun open(): StyleTransfer {
        opened?.let { (style, transfer) -> if (style == this.style) return transfer else transfer.close() }
        opened = null
        val transfer = StyleTransfer.open(getApplication(), "styles/${style.folder}/model.onnx")
        Log.i("StyleTransfer", "${transfer.accelerator} runs ${style.name}; ${transfer.fallbackReasons}")
        opened = style to transfer
        return transfer
    }

    /** Runs the newest request alone: the one before is cancelled, which ends it at once. */
    private fun run(action: suspend () -> Unit) {
        val previous = job
        job = viewModelScope.launch {
            previous?.cancel()
            previous?.join()
            isBusy = true
            message = null
            try {
                action()
            } catch (error: CancellationException) {
                throw error
            } catch (error: Exception) {
                message = error.message
            } catch (error: OutOfMemoryError) {
                message = error.message
            } finally {
                isBusy = false
            }
        }
    }

    private companion object {
        const val CAMERA_RESOLUTION = 256
        const val MAX_DRAWN = 4096 // px: a canvas refuses bitmaps of more than 100 MB, and some GPUs wider ones

        /** Halves a picture until it can be drawn: a photo of 50 megapixels is 200 MB. */
        tailrec fun drawable(picture: Bitmap): Bitmap {
            if (max(picture.width, picture.height) <= MAX_DRAWN) return picture
            return drawable(Bitmap.createScaledBitmap(picture, (picture.width + 1) / 2, (picture.height + 1) / 2, true))
        }
    }
}
