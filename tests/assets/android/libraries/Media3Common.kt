package androidx.media3.common

interface Effect

class VideoFrameProcessingException(message: String?, cause: Throwable?, val presentationTimeUs: Long) :
    Exception(message, cause) {
    constructor(message: String) : this(message, null, Long.MIN_VALUE + 1)

    constructor(cause: Throwable, presentationTimeUs: Long) : this(cause.toString(), cause, presentationTimeUs)
}
