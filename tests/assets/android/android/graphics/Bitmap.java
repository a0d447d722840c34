package android.graphics;

import java.io.OutputStream;
import java.nio.Buffer;
import java.nio.ByteBuffer;

/**
 * The part of Android's Bitmap that the clients use, with the API's signatures, over an array of bytes. What is newer
 * than API 24 is between comments that name its level, and is left out when compiled for an older one.
 */
public final class Bitmap {
    public enum Config {
        ALPHA_8, RGB_565, ARGB_4444, ARGB_8888,
        /* API 26 */
        RGBA_F16, HARDWARE,
        /* end */
    }

    public enum CompressFormat { JPEG, PNG, WEBP }

    /** Not in the API: is called when the pixels of a bitmap are copied to a buffer. */
    public static Runnable onCopyPixels = () -> {};

    private final byte[] pixels;
    private final int width;
    private final int height;
    private final Config config;
    private final boolean mutable;
    private boolean alpha;
    private boolean premultiplied;
    private int density = 160;
    /* API 26 */
    private ColorSpace colorSpace = ColorSpace.get(ColorSpace.Named.SRGB);
    /* end */

    /** Not in the API: creates a bitmap of RGBA bytes, which are the storage of every config here. */
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

    public static Bitmap createBitmap(int[] colors, int width, int height, Config config) {
        Bitmap result = new Bitmap(new byte[width * height * 4], width, height, config, true, true, true);
        result.setPixels(colors, 0, width, 0, 0, width, height);
        return result.copy(config, false);
    }

    public static Bitmap createBitmap(int width, int height, Config config) {
        return new Bitmap(new byte[width * height * 4], width, height, config, true, true, true);
    }

    public static Bitmap createScaledBitmap(Bitmap source, int width, int height, boolean filter) {
        throw new AssertionError("only compiled");
    }

    public static Bitmap createBitmap(Bitmap source, int x, int y, int width, int height, Matrix m, boolean filter) {
        if (x != 0 || y != 0 || width != source.width || height != source.height) throw new AssertionError("a part");
        int[] v = m.values;
        boolean isTurned = v[0] == 0;
        Bitmap result = new Bitmap(
                new byte[width * height * 4], isTurned ? height : width, isTurned ? width : height, source.config,
                source.alpha, source.premultiplied, true);
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int newColumn = v[0] * column + v[1] * row + (v[0] + v[1] < 0 ? result.width - 1 : 0);
                int newRow = v[2] * column + v[3] * row + (v[2] + v[3] < 0 ? result.height - 1 : 0);
                System.arraycopy(
                        source.pixels, (row * width + column) * 4, result.pixels,
                        (newRow * result.width + newColumn) * 4, 4);
            }
        }
        return result;
    }

    /** Not in the API: returns the RGBA bytes. */
    public byte[] bytes() {
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

    public int getDensity() {
        return density;
    }

    public void setDensity(int density) {
        this.density = density;
    }

    public void setHasAlpha(boolean hasAlpha) {
        alpha = hasAlpha;
    }

    public void setPremultiplied(boolean premultiplied) {
        this.premultiplied = premultiplied;
    }

    /* API 26 */
    public ColorSpace getColorSpace() {
        return colorSpace;
    }
    /* end */

    /* API 29 */
    public void setColorSpace(ColorSpace colorSpace) {
        this.colorSpace = colorSpace;
    }
    /* end */

    public Bitmap copy(Config config, boolean isMutable) {
        Bitmap result = new Bitmap(pixels.clone(), width, height, config, alpha, premultiplied, isMutable);
        result.density = density;
        /* API 26 */
        result.colorSpace = colorSpace;
        /* end */
        return result;
    }

    public boolean compress(CompressFormat format, int quality, OutputStream stream) {
        throw new AssertionError("only compiled");
    }

    public void copyPixelsToBuffer(Buffer dst) {
        onCopyPixels.run();
        if (dst.remaining() < size()) throw new RuntimeException("Buffer not large enough for pixels");
        ((ByteBuffer) dst).put(pixels);
    }

    public void copyPixelsFromBuffer(Buffer src) {
        if (!mutable) throw new IllegalStateException("cannot write to an immutable bitmap");
        if (src.remaining() < size()) throw new RuntimeException("Buffer not large enough for pixels");
        ((ByteBuffer) src).get(pixels);
    }

    public void getPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        check(pixels, offset, stride, x, y, width, height);
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int i = ((y + row) * this.width + x + column) * 4;
                int opacity = this.pixels[i + 3] & 255;
                int color = opacity << 24;
                for (int c = 0; c < 3; c++) {
                    int value = this.pixels[i + c] & 255;
                    if (isPremultiplied() && opacity > 0) value = Math.min(255, (value * 255 + opacity / 2) / opacity);
                    color |= value << (16 - 8 * c);
                }
                /* API 26 */
                color = colorSpace.toSrgb(color);
                /* end */
                pixels[offset + row * stride + column] = color;
            }
        }
    }

    public void setPixels(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        check(pixels, offset, stride, x, y, width, height);
        if (!mutable) throw new IllegalStateException("cannot write to an immutable bitmap");
        for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
                int i = ((y + row) * this.width + x + column) * 4;
                int color = pixels[offset + row * stride + column];
                /* API 26 */
                color = colorSpace.fromSrgb(color);
                /* end */
                int opacity = color >>> 24;
                for (int c = 0; c < 3; c++) {
                    int value = (color >> (16 - 8 * c)) & 255;
                    this.pixels[i + c] = (byte) (isPremultiplied() ? (value * opacity + 127) / 255 : value);
                }
                this.pixels[i + 3] = (byte) opacity;
            }
        }
    }

    private void check(int[] pixels, int offset, int stride, int x, int y, int width, int height) {
        /* API 26 */
        if (config == Config.HARDWARE) throw new IllegalStateException("cannot read a HARDWARE bitmap");
        /* end */
        if (x < 0 || y < 0 || x + width > this.width || y + height > this.height) {
            throw new IllegalArgumentException("outside the bitmap");
        }
        if (Math.abs(stride) < width) throw new IllegalArgumentException("abs(stride) must be >= width");
        if (offset < 0 || offset + (height - 1) * stride + width > pixels.length) {
            throw new ArrayIndexOutOfBoundsException();
        }
    }

    private int size() {
        if (config != Config.ARGB_8888) throw new AssertionError(config + " is not RGBA");
        return pixels.length;
    }
}
