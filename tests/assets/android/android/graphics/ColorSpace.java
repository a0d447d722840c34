/* API 26 */
package android.graphics;

/** Android's ColorSpace, for 8-bit RGB. */
public abstract class ColorSpace {
    public enum Named { SRGB, LINEAR_EXTENDED_SRGB, DISPLAY_P3 }

    // Linear Display P3 to linear sRGB (SMPTE EG 432-1, IEC 61966-2-1), and back.
    private static final double[][] TO_SRGB = {
        {1.2249401762805598, -0.2249401762805598, 0},
        {-0.0420569547096882, 1.0420569547096882, 0},
        {-0.0196375545903344, -0.0786360455506319, 1.0982736001409663},
    };
    private static final double[][] FROM_SRGB = {
        {0.8224619687143623, 0.1775380312856377, 0},
        {0.0331941988509616, 0.9668058011490384, 0},
        {0.0170826307672142, 0.0723974406639635, 0.9105199285688223},
    };

    private final Named name;

    private ColorSpace(Named name) {
        this.name = name;
    }

    public static ColorSpace get(Named name) {
        return new ColorSpace(name) {};
    }

    public boolean isSrgb() {
        return name == Named.SRGB;
    }

    /** Not in the API: converts an ARGB color of this color space to sRGB. */
    int toSrgb(int color) {
        return convert(color, TO_SRGB, name != Named.LINEAR_EXTENDED_SRGB, true);
    }

    /** Not in the API: converts an ARGB color of sRGB to this color space. */
    int fromSrgb(int color) {
        return convert(color, FROM_SRGB, true, name != Named.LINEAR_EXTENDED_SRGB);
    }

    private int convert(int color, double[][] matrix, boolean isEncoded, boolean encode) {
        if (isSrgb()) return color;
        double[] linear = new double[3];
        for (int c = 0; c < 3; c++) {
            double value = (color >> (16 - 8 * c) & 255) / 255.0;
            linear[c] = !isEncoded ? value : value <= 0.04045 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4);
        }
        int result = color & 255 << 24;
        for (int c = 0; c < 3; c++) {
            double value = linear[c];
            if (name == Named.DISPLAY_P3) {
                value = matrix[c][0] * linear[0] + matrix[c][1] * linear[1] + matrix[c][2] * linear[2];
            }
            value = Math.max(0, Math.min(1, value));
            if (encode) value = value <= 0.0031308 ? value * 12.92 : 1.055 * Math.pow(value, 1 / 2.4) - 0.055;
            result |= (int) Math.floor(value * 255 + 0.5) << (16 - 8 * c);
        }
        return result;
    }
}
/* end */
