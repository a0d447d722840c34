package androidx.camera.core

import android.graphics.Bitmap
import java.util.concurrent.Executor

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

    class Builder {
        fun setBackpressureStrategy(strategy: Int): Builder = also { check(strategy == STRATEGY_KEEP_ONLY_LATEST) }

        fun build() = ImageAnalysis()
    }

    fun setAnalyzer(executor: Executor, analyzer: Analyzer) = executor.execute { analyzer.hashCode() }

    companion object {
        const val STRATEGY_KEEP_ONLY_LATEST = 0
    }
}
