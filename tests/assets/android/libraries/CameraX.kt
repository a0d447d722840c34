package androidx.camera.core

import android.graphics.Bitmap

// The part of CameraX's API that the clients use, with its signatures.

interface ImageInfo {
    val rotationDegrees: Int
}

interface ImageProxy : AutoCloseable {
    val imageInfo: ImageInfo

    fun toBitmap(): Bitmap

    override fun close()
}

class ImageAnalysis private constructor() {
    fun interface Analyzer {
        fun analyze(image: ImageProxy)
    }
}
