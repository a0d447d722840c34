package androidx.compose.ui

interface Modifier {
    companion object : Modifier
}

fun interface Alignment {
    fun align(): Int

    companion object {
        val Center = Alignment { 0 }
    }
}
