package android.content.res;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Android's AssetManager, over a folder. */
public final class AssetManager {
    private final Path folder;

    /** Not in the API. */
    public AssetManager(Path folder) {
        this.folder = folder;
    }

    public String[] list(String path) throws IOException {
        return folder.resolve(path).toFile().list();
    }

    public InputStream open(String fileName) throws IOException {
        return Files.newInputStream(folder.resolve(fileName));
    }
}
