package android.content;

import android.content.res.AssetManager;

public abstract class Context {
    public abstract AssetManager getAssets();

    public ContentResolver getContentResolver() {
        throw new AssertionError();
    }

    public void startActivity(Intent intent) {
        throw new AssertionError();
    }
}
