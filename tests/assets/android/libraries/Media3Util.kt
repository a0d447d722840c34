package androidx.media3.common.util

annotation class UnstableApi

class Size(val width: Int, val height: Int)
