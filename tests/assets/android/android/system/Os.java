package android.system;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Android's Os, which here only records the variables, and whether ONNX Runtime was already loaded. */
public final class Os {
    /** Not in the API. */
    public static final List<String> CALLS = new ArrayList<>();

    public static void setenv(String name, String value, boolean overwrite) throws ErrnoException {
        try {
            boolean loaded = Files.readString(Path.of("/proc/self/maps")).contains("libonnxruntime");
            CALLS.add(name + "=" + value + (loaded ? " after loading" : " before loading"));
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }
}
