// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreImage
import StyleTransfer
import SwiftUI

/// An entry of styles.json, with the packages `name_WIDTHxHEIGHT.mlpackage`.
struct Style: Decodable, Identifiable, Equatable {
    let id: String
    let name: String
}

/// What the screen shows.
@MainActor
final class StyleModel: ObservableObject {
    let styles: [Style]
    @Published var style: Style { didSet { refresh() } }
    @Published var strength = 1.0 { didSet { refresh() } }
    @Published private(set) var result: UIImage?
    @Published private(set) var isBusy = false
    @Published private(set) var isCameraRunning = false
    @Published private(set) var message: String?

    private var photo: UIImage?
    private var opened: (style: Style, transfer: StyleTransfer)?
    private var task: Task<Void, Never>?
    private let camera = Camera()
    private let context = CIContext()

    init() {
        let url = Bundle.main.url(forResource: "styles", withExtension: "json")!
        styles = try! JSONDecoder().decode([Style].self, from: Data(contentsOf: url))
        style = styles[0]
    }

    func pick(_ load: @escaping () async throws -> Data?) {
        run { [self] in
            guard let data = try await load(), let image = UIImage(data: data) else { return }
            photo = image
            try await stylize()
        }
    }

    func startCamera() {
        isCameraRunning = true
        refresh()
    }

    func stopCamera() {
        isCameraRunning = false
        camera.stop()
    }

    func save() {
        if let result { UIImageWriteToSavedPhotosAlbum(result, nil, nil, nil) }
    }

    func trim() {
        opened?.transfer.trim()
    }

    private func refresh() {
        run { [self] in try await stylize() }
    }

    private func stylize() async throws {
        let transfer = try open()
        if isCameraRunning {
            do {
                try await camera.start(StyleTransferFrames(transfer, strength: strength)) { [weak self] buffer in
                    Task { @MainActor [weak self] in self?.show(buffer) }
                }
            } catch {
                isCameraRunning = false
                throw error
            }
        } else if let photo {
            result = try await transfer.stylize(photo, strength: strength)
        }
    }

    private func show(_ buffer: CVPixelBuffer) {
        let image = CIImage(cvPixelBuffer: buffer)
        guard isCameraRunning, let frame = context.createCGImage(image, from: image.extent) else { return }
        result = UIImage(cgImage: frame)
    }

    private func open() throws -> StyleTransfer {
        if let opened, opened.style == style { return opened.transfer }
        opened?.transfer.close()
        let transfer = try StyleTransfer(named: style.id)
        opened = (style, transfer)
        return transfer
    }

    /// Runs the newest request alone: the one before is cancelled, which ends it at once.
    private func run(_ action: @escaping () async throws -> Void) {
        task?.cancel()
        let previous = task
        task = Task {
            await previous?.value
            if Task.isCancelled { return }
            isBusy = true
            message = nil
            do {
                try await action()
            } catch is CancellationError {
            } catch {
                message = error.localizedDescription
            }
            isBusy = false
        }
    }
}
