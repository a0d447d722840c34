package android.os;

public class Build {
    public static class VERSION {
        /** The level of the API for which this stub was compiled. */
        public static final int SDK_INT = Integer.getInteger("android.api");
    }

    public static class VERSION_CODES {
        /* API 26 */
        public static final int O = 26;
        /* end */
        /* API 28 */
        public static final int P = 28;
        /* end */
    }
}
