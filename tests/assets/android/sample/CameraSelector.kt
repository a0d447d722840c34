package androidx.camera.core

class CameraSelector {
    companion object {
        @JvmField
        val DEFAULT_BACK_CAMERA = CameraSelector()
    }
}
