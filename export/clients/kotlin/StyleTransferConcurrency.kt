// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

package impasto

import java.util.concurrent.CancellationException
import java.util.concurrent.TimeUnit
import java.util.concurrent.locks.ReentrantLock
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.suspendCancellableCoroutine
import kotlinx.coroutines.withContext

/** Ends a running photo from another thread. */
internal class Cancellation {
    private var isCancelled = false
    private var stop: (() -> Unit)? = null

    @Synchronized
    fun cancel() {
        isCancelled = true
        stop?.invoke()
    }

    /** Throws CancellationException if [cancel] was called; [cause] is what that led to. */
    @Synchronized
    fun check(cause: Exception? = null) {
        if (isCancelled) throw CancellationException("The photo was cancelled").apply { initCause(cause) }
    }

    /** Runs [action], which [cancel] ends early by calling [stop]; then this throws CancellationException. */
    fun <T> interruptible(stop: () -> Unit, action: () -> T): T {
        synchronized(this) {
            check()
            this.stop = stop
        }
        try {
            return action()
        } catch (error: Exception) {
            check(error)
            throw error
        } finally {
            synchronized(this) { this.stop = null }
        }
    }
}

/** Runs blocking work off the calling thread; ends it if the coroutine is cancelled, and returns once it has ended. */
internal suspend fun <T> cancellable(action: (Cancellation) -> T): T = withContext(Dispatchers.Default) {
    val cancellation = Cancellation()
    val watcher = launch(Dispatchers.Unconfined) {
        suspendCancellableCoroutine<Nothing> { it.invokeOnCancellation { cancellation.cancel() } }
    }
    try {
        ensureActive() // a coroutine that was cancelled before has no watcher
        action(cancellation)
    } finally {
        watcher.cancel()
    }
}

/** Lets one photo at a time use a model. Others release its memory without waiting for that photo. */
internal class ModelLock(private val owner: String, private val trim: () -> Unit, private val close: () -> Unit) {
    private val lock = ReentrantLock()
    private var closed = false

    @Volatile private var trimRequested = false

    @Volatile private var closeRequested = false

    fun <T> use(cancellation: Cancellation, action: () -> T): T {
        while (!lock.tryLock(WAIT_MS, TimeUnit.MILLISECONDS)) cancellation.check()
        try {
            check(!closeRequested) { "This $owner is closed; create a new one" }
            return action()
        } finally {
            lock.unlock()
            release()
        }
    }

    fun requestTrim() {
        trimRequested = true
        release()
    }

    fun requestClose() {
        closeRequested = true
        release()
    }

    /** Releases what was requested, unless a photo is running: the thread of that photo then does it at its end. */
    private fun release() {
        while (!lock.isHeldByCurrentThread && (trimRequested || (closeRequested && !closed)) && lock.tryLock()) {
            try {
                trimRequested = false
                trim()
                if (closeRequested && !closed) {
                    closed = true
                    close()
                }
            } finally {
                lock.unlock()
            }
        }
    }

    private companion object {
        const val WAIT_MS = 20L // within which a photo that waits for another one can be cancelled
    }
}
