package android.graphics;

import java.io.InputStream;

/** Only compiled. */
public class BitmapFactory {
    public static Bitmap decodeStream(InputStream is) {
        throw new AssertionError();
    }
}
