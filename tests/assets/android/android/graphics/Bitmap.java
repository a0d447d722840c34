package android.graphics;

import java.nio.Buffer;
import java.nio.ByteBuffer;

/** Android's Bitmap, as far as StyleTransfer.kt uses it: signatures as in the API, bytes in a plain array. */
public final class Bitmap {
    public enum Config { ALPHA_8, RGB_565, ARGB_4444, ARGB_8888, RGBA_F16, HARDWARE, RGBA_1010102 }

    private final byte[] pixels;
    private final int width;
    private final int height;
    private final Config config;
    private final boolean alpha;
    private final boolean premultiplied;
    private final boolean mutable;

    /** Not in the API: tests make pictures of given bytes; those of another config are kept as RGBA all the same. */
    public Bitmap(
            byte[] pixels, int width, int height, Config config, boolean alpha, boolean premultiplied, boolean mutable) {
        if (pixels.length != width * height * 4) throw new AssertionError("wrong number of bytes");
        this.pixels = pixels;
        this.width = width;
        this.height = height;
        this.config = config;
        this.alpha = alpha;
        this.premultiplied = premultiplied;
        this.mutable = mutable;
    }

    /** Not in the API: the bytes. */
    public byte[] stored() {
        return pixels;
    }

    public int getWidth() {
        return width;
    }

    public int getHeight() {
        return height;
    }

    public Config getConfig() {
        return config;
    }

    public boolean hasAlpha() {
        return alpha;
    }

    public boolean isPremultiplied() {
        return premultiplied && alpha;
    }

    public boolean isMutable() {
        return mutable;
    }

    public Bitmap copy(Config config, boolean isMutable) {
        return new Bitmap(pixels.clone(), width, height, config, alpha, premultiplied, isMutable);
    }

    public void copyPixelsToBuffer(Buffer dst) {
        if (dst.remaining() < bytes()) throw new RuntimeException("Buffer not large enough for pixels");
        ((ByteBuffer) dst).put(pixels);
    }

    public void copyPixelsFromBuffer(Buffer src) {
        if (!mutable) throw new IllegalStateException("an immutable bitmap is written to");
        if (src.remaining() < bytes()) throw new RuntimeException("Buffer not large enough for pixels");
        ((ByteBuffer) src).get(pixels);
    }

    private int bytes() {
        if (config != Config.ARGB_8888) throw new AssertionError("the bytes of " + config + " are not RGBA");
        return pixels.length;
    }
}
