// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ImageDecoder
import android.graphics.Matrix
import android.media.ExifInterface
import android.net.Uri
import android.os.Build
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/**
 * Decodes a photo upright, whatever its EXIF orientation, as [StyleTransfer.stylize] takes it. This blocks, so call it
 * off the main thread.
 *
 * @throws java.io.IOException if the photo cannot be read.
 */
fun readPhoto(resolver: ContentResolver, photo: Uri): Bitmap {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
        // It applies the orientation. The default, a HARDWARE bitmap, would have to be copied.
        return ImageDecoder.decodeBitmap(ImageDecoder.createSource(resolver, photo)) { decoder, _, _ ->
            decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        }
    }
    val orientation = open(resolver, photo).use { stream ->
        ExifInterface(stream).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
    }
    val stored = open(resolver, photo).use { BitmapFactory.decodeStream(it) }
    return upright(stored ?: throw IOException("$photo is not a photo"), orientation)
}

private fun open(resolver: ContentResolver, photo: Uri): InputStream =
    resolver.openInputStream(photo) ?: throw FileNotFoundException("$photo cannot be opened")

/** Returns a photo as it should be seen, given the value of its EXIF tag Orientation. */
internal fun upright(stored: Bitmap, orientation: Int): Bitmap {
    val matrix = Matrix()
    when (orientation) {
        ExifInterface.ORIENTATION_FLIP_HORIZONTAL -> matrix.postScale(-1f, 1f)
        ExifInterface.ORIENTATION_ROTATE_180 -> matrix.postRotate(180f)
        ExifInterface.ORIENTATION_FLIP_VERTICAL -> matrix.postScale(1f, -1f)
        ExifInterface.ORIENTATION_TRANSPOSE -> matrix.apply { postRotate(90f) }.postScale(-1f, 1f)
        ExifInterface.ORIENTATION_ROTATE_90 -> matrix.postRotate(90f)
        ExifInterface.ORIENTATION_TRANSVERSE -> matrix.apply { postRotate(-90f) }.postScale(-1f, 1f)
        ExifInterface.ORIENTATION_ROTATE_270 -> matrix.postRotate(-90f)
        else -> return stored
    }
    return Bitmap.createBitmap(stored, 0, 0, stored.width, stored.height, matrix, true)
}
