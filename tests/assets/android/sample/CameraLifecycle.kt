package androidx.camera.lifecycle

import android.content.Context
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.lifecycle.LifecycleOwner
import java.util.concurrent.Executor
import java.util.concurrent.Future

interface ListenableFuture<V> : Future<V> {
    fun addListener(listener: Runnable, executor: Executor)
}

abstract class ProcessCameraProvider {
    abstract fun unbindAll()

    abstract fun bindToLifecycle(owner: LifecycleOwner, selector: CameraSelector, vararg useCases: ImageAnalysis): Any

    companion object {
        @JvmStatic
        fun getInstance(context: Context): ListenableFuture<ProcessCameraProvider> = TODO(context.toString())
    }
}
