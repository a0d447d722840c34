package androidx.compose.ui.platform

import android.content.Context
import androidx.compose.runtime.Composable

class CompositionLocal<T> {
    val current: T
        @Composable get() = TODO()
}

val LocalContext = CompositionLocal<Context>()
