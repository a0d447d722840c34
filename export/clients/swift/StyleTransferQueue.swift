// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import Foundation

/// Ends a running photo from another thread.
final class StyleTransferCancellation: @unchecked Sendable {
    private let lock = NSLock()
    private var isCancelled = false

    func cancel() {
        lock.withLock { isCancelled = true }
    }

    /// Throws `CancellationError` if `cancel` was called.
    func check() throws {
        if lock.withLock({ isCancelled }) { throw CancellationError() }
    }
}

/// Runs one photo at a time on a separate thread, so that neither the caller nor a thread of Swift's pool blocks.
final class StyleTransferQueue: @unchecked Sendable {
    private let queue: DispatchQueue

    init(_ label: String) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
    }

    /// Returns the result of `work`; cancelling the task cancels the work, and the error is then `CancellationError`.
    func run<Value>(_ work: @escaping (StyleTransferCancellation) throws -> Value) async throws -> Value {
        let cancellation = StyleTransferCancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.async {
                    continuation.resume(
                        with: Result {
                            try cancellation.check()
                            return try autoreleasepool { try work(cancellation) }
                        })
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
    }

    /// Runs `work` after the running photo, without waiting for that.
    func later(_ work: @escaping () -> Void) {
        queue.async { autoreleasepool(invoking: work) }
    }
}
