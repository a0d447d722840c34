// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import AVFoundation
import StyleTransfer

/// There is no camera, or the user does not allow it.
struct NoCamera: LocalizedError {
    var errorDescription: String? { "The camera is not available. Settings may allow this app to use it." }
}

/// Stylizes the frames of the back camera; frames that arrive while one is stylized are dropped.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
    private let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "Camera")
    private var frames: StyleTransferFrames?
    private var show: (@Sendable (CVPixelBuffer) -> Void)?
    private var isBusy = false

    func start(_ frames: StyleTransferFrames, show: @escaping @Sendable (CVPixelBuffer) -> Void) async throws {
        guard await AVCaptureDevice.requestAccess(for: .video) else { throw NoCamera() }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, Error>) in
            queue.async { [self] in
                continuation.resume(
                    with: Result {
                        (self.frames, self.show) = (frames, show)
                        if session.inputs.isEmpty { try configure() }
                        session.startRunning()
                    })
            }
        }
    }

    func stop() {
        queue.async { [self] in
            session.stopRunning()
            (frames, show) = (nil, nil)
        }
    }

    private func configure() throws {
        guard let device = AVCaptureDevice.default(for: .video) else { throw NoCamera() }
        let input = try AVCaptureDeviceInput(device: device)
        guard session.canAddInput(input) else { throw NoCamera() }
        session.beginConfiguration()
        defer { session.commitConfiguration() }
        session.sessionPreset = .vga640x480
        session.addInput(input)
        let output = AVCaptureVideoDataOutput()
        output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
        output.setSampleBufferDelegate(self, queue: queue)
        session.addOutput(output)
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        guard !isBusy, let frames, let show, let frame = CMSampleBufferGetImageBuffer(sampleBuffer) else { return }
        isBusy = true
        Task {
            // The back camera's frames lie on their side while the phone is upright.
            if let stylized = try? await frames.stylize(frame, orientation: .right) { show(stylized) }
            queue.async { self.isBusy = false }
        }
    }
}
