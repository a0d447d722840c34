// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto.sample

import android.content.ContentResolver
import android.content.ContentValues
import android.content.Context
import android.content.Intent
import android.graphics.Bitmap
import android.net.Uri
import android.provider.MediaStore
import java.io.IOException

/** Saves a picture to the gallery; returns its address, which other apps can read. */
fun saveToGallery(resolver: ContentResolver, bitmap: Bitmap): Uri {
    val values = ContentValues().apply {
        put(MediaStore.MediaColumns.DISPLAY_NAME, "stylized-${System.currentTimeMillis()}.jpg")
        put(MediaStore.MediaColumns.MIME_TYPE, "image/jpeg")
    }
    val uri = resolver.insert(MediaStore.Images.Media.EXTERNAL_CONTENT_URI, values)
        ?: throw IOException("The gallery does not accept a picture")
    resolver.openOutputStream(uri)?.use { bitmap.compress(Bitmap.CompressFormat.JPEG, 95, it) }
        ?: throw IOException("The gallery cannot be written to")
    return uri
}

/** Lets the user choose an app that gets a picture of the gallery. */
fun share(context: Context, picture: Uri) {
    val intent = Intent(Intent.ACTION_SEND)
        .setType("image/jpeg")
        .putExtra(Intent.EXTRA_STREAM, picture)
        .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    context.startActivity(Intent.createChooser(intent, null))
}
