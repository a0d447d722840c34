package androidx.media3.effect

import android.content.Context
import androidx.media3.common.Effect
import androidx.media3.common.VideoFrameProcessingException
import androidx.media3.common.util.Size

// The part of Media3's API that the clients use, with its signatures.

interface GlEffect : Effect {
    @Throws(VideoFrameProcessingException::class)
    fun toGlShaderProgram(context: Context, useHdr: Boolean): GlShaderProgram
}

interface GlShaderProgram {
    @Throws(VideoFrameProcessingException::class)
    fun release()
}

@Suppress("UNUSED_PARAMETER")
abstract class BaseGlShaderProgram(useHighPrecisionColorComponents: Boolean, texturePoolCapacity: Int) :
    GlShaderProgram {
    @Throws(VideoFrameProcessingException::class)
    abstract fun configure(inputWidth: Int, inputHeight: Int): Size

    @Throws(VideoFrameProcessingException::class)
    abstract fun drawFrame(inputTexId: Int, presentationTimeUs: Long)

    @Throws(VideoFrameProcessingException::class)
    override fun release() = Unit
}
