// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto.sample

import android.content.Context
import android.graphics.Bitmap
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.core.content.ContextCompat
import androidx.lifecycle.LifecycleOwner
import impasto.StyleTransferAnalyzer
import impasto.StyleTransferFrames
import java.util.concurrent.Executors

/** Stylizes the frames of the back camera, on a separate thread, until [stop]. */
class Camera(private val context: Context, private val owner: LifecycleOwner) {
    private val executor = Executors.newSingleThreadExecutor()
    private var analysis: ImageAnalysis? = null
    private var provider: ProcessCameraProvider? = null

    /** Starts the camera, or lets the running one go on with other settings. */
    fun start(frames: StyleTransferFrames, show: (Bitmap) -> Unit) {
        val analyzer = StyleTransferAnalyzer(frames, onError = {}, onFrame = show)
        analysis?.let { return it.setAnalyzer(executor, analyzer) }
        val started = ImageAnalysis.Builder()
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
            .build()
        started.setAnalyzer(executor, analyzer)
        analysis = started
        val future = ProcessCameraProvider.getInstance(context)
        future.addListener({
            if (analysis === started) { // else it was stopped meanwhile
                provider = future.get().apply {
                    unbindAll()
                    bindToLifecycle(owner, CameraSelector.DEFAULT_BACK_CAMERA, started)
                }
            }
        }, ContextCompat.getMainExecutor(context))
    }

    fun stop() {
        provider?.unbindAll()
        provider = null
        analysis = null
    }

    fun close() {
        stop()
        executor.shutdown()
    }
}
