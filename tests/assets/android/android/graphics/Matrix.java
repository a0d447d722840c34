package android.graphics;

/** Android's Matrix, for turns by multiples of 90 degrees and mirrors. */
public class Matrix {
    /** Not in the API: x' = values[0] x + values[1] y, y' = values[2] x + values[3] y. */
    final int[] values = {1, 0, 0, 1};

    public boolean postRotate(float degrees) {
        double angle = Math.toRadians(degrees);
        int cosine = (int) Math.round(Math.cos(angle));
        int sine = (int) Math.round(Math.sin(angle));
        return post(cosine, -sine, sine, cosine); // clockwise on the screen, whose y axis points down
    }

    public boolean postScale(float sx, float sy) {
        return post((int) sx, 0, 0, (int) sy);
    }

    private boolean post(int a, int b, int c, int d) {
        int[] v = values.clone();
        values[0] = a * v[0] + b * v[2];
        values[1] = a * v[1] + b * v[3];
        values[2] = c * v[0] + d * v[2];
        values[3] = c * v[1] + d * v[3];
        return true;
    }
}
