package android.content;

import android.net.Uri;
import java.io.FileNotFoundException;
import java.io.InputStream;
import java.io.OutputStream;

/** Only compiled. */
public abstract class ContentResolver {
    public final InputStream openInputStream(Uri uri) throws FileNotFoundException {
        throw new FileNotFoundException();
    }

    public final OutputStream openOutputStream(Uri uri) throws FileNotFoundException {
        throw new FileNotFoundException();
    }

    public final Uri insert(Uri url, ContentValues values) {
        return null;
    }
}
