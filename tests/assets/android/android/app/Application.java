package android.app;

import android.content.Context;
import android.content.res.AssetManager;

/** Only compiled, as the other classes that the sample app alone uses. */
public class Application extends Context {
    @Override
    public AssetManager getAssets() {
        throw new AssertionError();
    }
}
