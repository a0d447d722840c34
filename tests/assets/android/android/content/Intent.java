package android.content;

import android.os.Parcelable;

public class Intent {
    public static final String ACTION_SEND = "android.intent.action.SEND";
    public static final String EXTRA_STREAM = "android.intent.extra.STREAM";
    public static final int FLAG_GRANT_READ_URI_PERMISSION = 1;

    public Intent(String action) {}

    public Intent setType(String type) {
        return this;
    }

    public Intent putExtra(String name, Parcelable value) {
        return this;
    }

    public Intent addFlags(int flags) {
        return this;
    }

    public static Intent createChooser(Intent target, CharSequence title) {
        return target;
    }
}
