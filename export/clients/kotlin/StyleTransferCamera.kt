// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.graphics.Bitmap
import android.graphics.Matrix
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy

/**
 * Stylizes the frames of a camera: `analysis.setAnalyzer(executor, StyleTransferAnalyzer(frames, show))`. Requires CameraX
 * 1.3 or newer, and STRATEGY_KEEP_ONLY_LATEST, so that frames are dropped while one is stylized.
 *
 * @param onError receives what a frame threw, such as IllegalStateException once the style is closed.
 * @param onFrame receives an upright frame on the thread of the executor, which must not be the main thread.
 */
class StyleTransferAnalyzer(
    private val frames: StyleTransferFrames,
    private val onError: (Exception) -> Unit = { throw it },
    private val onFrame: (Bitmap) -> Unit,
) : ImageAnalysis.Analyzer {
    override fun analyze(image: ImageProxy) {
        try {
            onFrame(frames.stylizeBlocking(image.use { upright(it) }))
        } catch (error: Exception) {
            onError(error)
        }
    }

    private fun upright(image: ImageProxy): Bitmap {
        val frame = image.toBitmap()
        val degrees = image.imageInfo.rotationDegrees
        if (degrees == 0) return frame
        val matrix = Matrix().apply { postRotate(degrees.toFloat()) }
        return Bitmap.createBitmap(frame, 0, 0, frame.width, frame.height, matrix, true)
    }
}
