import android.content.Context;
import android.graphics.Bitmap;
import impasto.StyleTransfer;
import impasto.StyleTransferLarge;
import java.io.File;
import java.nio.ByteBuffer;

/** Calls from Java, which has no default arguments; only compiled. */
final class JavaCaller {
    static Bitmap stylize(Context context, Bitmap photo) {
        try (StyleTransfer style = new StyleTransfer(context)) {
            return style.stylizeBlocking(style.stylizeBlocking(photo), 0.5f, true);
        }
    }

    static Bitmap stylizeLarge(Context context, Bitmap photo) {
        try (StyleTransferLarge large = new StyleTransferLarge(context)) {
            return large.stylizeLargeBlocking(large.stylizeLargeBlocking(photo), 0.5f, true);
        }
    }

    static StyleTransfer[] open(Context context, ByteBuffer buffer, File file) {
        return new StyleTransfer[] {
            new StyleTransfer(context, "name/model.onnx"),
            new StyleTransfer(context, "name/model.onnx", StyleTransfer.Accelerator.Cpu),
            new StyleTransfer(buffer),
            new StyleTransfer(file),
        };
    }
}
