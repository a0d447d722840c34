// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.content.Context
import android.graphics.Bitmap
import android.opengl.GLES20
import androidx.media3.common.VideoFrameProcessingException
import androidx.media3.common.util.Size
import androidx.media3.common.util.UnstableApi
import androidx.media3.effect.BaseGlShaderProgram
import androidx.media3.effect.GlEffect
import androidx.media3.effect.GlShaderProgram

/**
 * A video effect of Media3 for its Transformer, and for playback where the phone is fast enough:
 * `Effects(emptyList(), listOf(StyleTransferEffect(style)))`. Requires Media3 1.4 or newer.
 *
 * Frames are read from the GPU, stylized with less flicker, and written back. HDR must be tone-mapped to SDR before, with
 * `Composition.HDR_MODE_TONE_MAP_HDR_TO_SDR_USING_OPEN_GL`. The working color space must be the default one, which is not
 * linear.
 *
 * @param style is not closed with this object, and must not be closed before the video is complete.
 * @param frames returns the settings for a video.
 */
@UnstableApi
class StyleTransferEffect @JvmOverloads constructor(
    private val style: StyleTransfer,
    private val frames: (StyleTransfer) -> StyleTransferFrames = { StyleTransferFrames(it) },
) : GlEffect {
    override fun toGlShaderProgram(context: Context, useHdr: Boolean): GlShaderProgram {
        if (useHdr) throw VideoFrameProcessingException("HDR is not supported; tone-map the video to SDR")
        return StyleTransferShaderProgram(frames(style))
    }
}

@UnstableApi
private class StyleTransferShaderProgram(private val frames: StyleTransferFrames) : BaseGlShaderProgram(false, 1) {
    private var frame = Bitmap.createBitmap(1, 1, Bitmap.Config.ARGB_8888)
    private var pixels = allocate(4)
    private var row = IntArray(1)
    private val framebuffer = IntArray(1)

    override fun configure(inputWidth: Int, inputHeight: Int): Size {
        frame = Bitmap.createBitmap(inputWidth, inputHeight, Bitmap.Config.ARGB_8888)
        frame.setHasAlpha(false)
        pixels = allocate(inputWidth * inputHeight * 4)
        row = IntArray(inputWidth)
        frames.reset()
        return Size(inputWidth, inputHeight)
    }

    /** The current framebuffer is that of the output texture, of the same size. */
    override fun drawFrame(inputTexId: Int, presentationTimeUs: Long) {
        try {
            val state = IntArray(2)
            GLES20.glGetIntegerv(GLES20.GL_FRAMEBUFFER_BINDING, state, 0)
            val attachment = GLES20.GL_COLOR_ATTACHMENT0
            val name = GLES20.GL_FRAMEBUFFER_ATTACHMENT_OBJECT_NAME
            GLES20.glGetFramebufferAttachmentParameteriv(GLES20.GL_FRAMEBUFFER, attachment, name, state, 1)
            read(inputTexId)
            GLES20.glBindFramebuffer(GLES20.GL_FRAMEBUFFER, state[0])
            copyRows(toFrame = true, frame)
            copyRows(toFrame = false, frames.stylizeBlocking(frame))
            write(state[1])
            checkGl()
        } catch (error: VideoFrameProcessingException) {
            throw error
        } catch (error: Exception) {
            throw VideoFrameProcessingException(error, presentationTimeUs)
        }
    }

    private fun read(texture: Int) {
        if (framebuffer[0] == 0) GLES20.glGenFramebuffers(1, framebuffer, 0)
        GLES20.glBindFramebuffer(GLES20.GL_FRAMEBUFFER, framebuffer[0])
        GLES20.glFramebufferTexture2D(
            GLES20.GL_FRAMEBUFFER, GLES20.GL_COLOR_ATTACHMENT0, GLES20.GL_TEXTURE_2D, texture, 0,
        )
        pixels.rewind()
        GLES20.glReadPixels(0, 0, frame.width, frame.height, GLES20.GL_RGBA, GLES20.GL_UNSIGNED_BYTE, pixels)
    }

    private fun write(texture: Int) {
        pixels.rewind()
        GLES20.glBindTexture(GLES20.GL_TEXTURE_2D, texture)
        GLES20.glTexSubImage2D(
            GLES20.GL_TEXTURE_2D, 0, 0, 0, frame.width, frame.height, GLES20.GL_RGBA, GLES20.GL_UNSIGNED_BYTE, pixels,
        )
        GLES20.glBindTexture(GLES20.GL_TEXTURE_2D, 0)
    }

    /** Copies the pixels to an upright bitmap, or back: in OpenGL the first row is the lowest. */
    private fun copyRows(toFrame: Boolean, bitmap: Bitmap) {
        for (y in 0 until bitmap.height) {
            val start = (bitmap.height - 1 - y) * bitmap.width * 4
            if (!toFrame) bitmap.getPixels(row, 0, row.size, 0, y, row.size, 1)
            for (x in row.indices) {
                val i = start + 4 * x
                if (toFrame) {
                    val red = pixels.get(i).toInt() and 255
                    val green = pixels.get(i + 1).toInt() and 255
                    row[x] = (255 shl 24) or (red shl 16) or (green shl 8) or (pixels.get(i + 2).toInt() and 255)
                } else {
                    pixels.put(i, (row[x] shr 16).toByte())
                    pixels.put(i + 1, (row[x] shr 8).toByte())
                    pixels.put(i + 2, row[x].toByte())
                }
            }
            if (toFrame) bitmap.setPixels(row, 0, row.size, 0, y, row.size, 1)
        }
    }

    private fun checkGl() {
        val error = GLES20.glGetError()
        if (error != GLES20.GL_NO_ERROR) throw VideoFrameProcessingException("OpenGL error $error")
    }

    override fun release() {
        super.release()
        if (framebuffer[0] != 0) GLES20.glDeleteFramebuffers(1, framebuffer, 0)
        framebuffer[0] = 0
    }
}
