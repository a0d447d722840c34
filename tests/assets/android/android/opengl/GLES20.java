package android.opengl;

import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/** The part of OpenGL ES that the clients use, over arrays of RGBA bytes. */
public class GLES20 {
    public static final int GL_NO_ERROR = 0;
    public static final int GL_TEXTURE_2D = 0x0DE1;
    public static final int GL_UNSIGNED_BYTE = 0x1401;
    public static final int GL_RGBA = 0x1908;
    public static final int GL_FRAMEBUFFER = 0x8D40;
    public static final int GL_FRAMEBUFFER_BINDING = 0x8CA6;
    public static final int GL_FRAMEBUFFER_ATTACHMENT_OBJECT_NAME = 0x8CD1;
    public static final int GL_COLOR_ATTACHMENT0 = 0x8CE0;

    /** Not in the API: the textures, and the texture of each framebuffer. */
    public static final Map<Integer, byte[]> TEXTURES = new HashMap<>();
    public static final Map<Integer, Integer> FRAMEBUFFERS = new HashMap<>();
    private static int framebuffer;
    private static int texture;

    public static void glGetIntegerv(int pname, int[] params, int offset) {
        check(pname == GL_FRAMEBUFFER_BINDING);
        params[offset] = framebuffer;
    }

    public static void glGetFramebufferAttachmentParameteriv(
            int target, int attachment, int pname, int[] params, int offset) {
        check(target == GL_FRAMEBUFFER && attachment == GL_COLOR_ATTACHMENT0);
        check(pname == GL_FRAMEBUFFER_ATTACHMENT_OBJECT_NAME);
        params[offset] = FRAMEBUFFERS.get(framebuffer);
    }

    public static void glGenFramebuffers(int n, int[] framebuffers, int offset) {
        check(n == 1);
        framebuffers[offset] = FRAMEBUFFERS.size() + 1;
        FRAMEBUFFERS.put(framebuffers[offset], 0);
    }

    public static void glDeleteFramebuffers(int n, int[] framebuffers, int offset) {
        check(n == 1 && FRAMEBUFFERS.remove(framebuffers[offset]) != null);
    }

    public static void glBindFramebuffer(int target, int framebuffer) {
        check(target == GL_FRAMEBUFFER && FRAMEBUFFERS.containsKey(framebuffer));
        GLES20.framebuffer = framebuffer;
    }

    public static void glFramebufferTexture2D(int target, int attachment, int textarget, int texture, int level) {
        check(target == GL_FRAMEBUFFER && attachment == GL_COLOR_ATTACHMENT0 && textarget == GL_TEXTURE_2D);
        check(level == 0 && TEXTURES.containsKey(texture));
        FRAMEBUFFERS.put(framebuffer, texture);
    }

    public static void glReadPixels(int x, int y, int width, int height, int format, int type, Buffer pixels) {
        check(x == 0 && y == 0 && format == GL_RGBA && type == GL_UNSIGNED_BYTE);
        byte[] bytes = TEXTURES.get(FRAMEBUFFERS.get(framebuffer));
        check(bytes.length == width * height * 4);
        ((ByteBuffer) pixels).duplicate().put(bytes);
    }

    public static void glBindTexture(int target, int texture) {
        check(target == GL_TEXTURE_2D && (texture == 0 || TEXTURES.containsKey(texture)));
        GLES20.texture = texture;
    }

    public static void glTexSubImage2D(
            int target, int level, int xoffset, int yoffset, int width, int height, int format, int type,
            Buffer pixels) {
        check(target == GL_TEXTURE_2D && level == 0 && xoffset == 0 && yoffset == 0);
        check(format == GL_RGBA && type == GL_UNSIGNED_BYTE && TEXTURES.get(texture).length == width * height * 4);
        ((ByteBuffer) pixels).duplicate().get(TEXTURES.get(texture));
    }

    public static int glGetError() {
        return GL_NO_ERROR;
    }

    private static void check(boolean isRight) {
        if (!isRight) throw new AssertionError("invalid call of OpenGL");
    }
}
