@file:Suppress("UNUSED_PARAMETER")

package androidx.activity

import android.app.Application
import android.os.Bundle
import androidx.lifecycle.LifecycleOwner
import androidx.lifecycle.ViewModel

// The parts of AndroidX that the sample app uses, with their signatures; only compiled.

open class ComponentActivity : Application(), LifecycleOwner {
    protected open fun onCreate(savedInstanceState: Bundle?) = Unit

    open fun onTrimMemory(level: Int) = Unit

    protected open fun onDestroy() = Unit
}

inline fun <reified VM : ViewModel> ComponentActivity.viewModels(): Lazy<VM> = lazy { TODO() }
