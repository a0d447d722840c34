// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreImage
import CoreML
import CoreVideo
import Foundation
import ImageIO

/// Stylizes photos in the style of a bundle. Requires the other files of its package and iOS 16 or newer.
///
/// Create one instance and reuse it: loading a model and the first prediction are slow. All functions are thread-safe,
/// and one photo is processed at a time, on a separate thread.
///
/// A model has a fixed size. The photo is resized to that of the model which is nearest in shape and size, and stylized;
/// the result is enlarged, and the photo's detail restored. This distorts the strokes where the aspect ratios differ.
///
/// Where there is too little memory for a photo, `Failure.outOfMemory` is thrown, and this object can still be used.
@available(iOS 16.0, macOS 13.0, *)
public final class StyleTransfer: @unchecked Sendable {
    /// What runs the network. Core ML chooses among the processors that are allowed, for each part of it.
    public enum Accelerator: String, Sendable, CaseIterable {
        /// The Neural Engine, the GPU or the CPU.
        case auto
        /// The GPU or the CPU.
        case gpu
        /// The Neural Engine or the CPU.
        case npu
        /// The CPU alone.
        case cpu

        /// The setting of Core ML.
        public var computeUnits: MLComputeUnits {
            switch self {
            case .auto: return .all
            case .gpu: return .cpuAndGPU
            case .npu: return .cpuAndNeuralEngine
            case .cpu: return .cpuOnly
            }
        }
    }

    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case modelNotFound(String)
        case unsupportedModel(String)
        case strokeResolution(Int)
        case noBitmap
        case resultSize(String, photo: String)
        case outOfMemory
        case closed

        public var errorDescription: String? {
            switch self {
            case .modelNotFound(let name):
                return "The app contains no \(name).mlmodelc; add \(name).mlpackage to the target in Xcode."
            case .unsupportedModel(let feature):
                return "This model was not exported by impasto: it has no \(feature)."
            case .strokeResolution(let value):
                return "The stroke resolution is \(value); it must be at least 16."
            case .noBitmap:
                return "The photo has no CGImage; render it to a bitmap first."
            case .resultSize(let result, let photo):
                return "into is \(result) pixels; it must be \(photo), as the upright photo."
            case .outOfMemory:
                return "There is not enough memory for an image of this size."
            case .closed:
                return "This StyleTransfer is closed; create a new one."
            }
        }
    }

    /// The default stroke resolution of a model without one, as in `impasto-stylize`.
    public static let defaultStrokeResolution = 1024

    private let queue: StyleTransferQueue
    private let renderer: StyleTransferRenderer
    private let weights: [Double]?  // of the styles of a store
    private var models: StyleTransferModels?  // nil once this is closed

    /// Finds the models that Xcode has compiled into the app: "Model_512x512" is that of one size, and "Model" all sizes
    /// of that name, of which the nearest to a photo is loaded when it is needed.
    ///
    /// For Model_ios18.mlpackage, which contains all sizes, set `configuration.functionName = "size_512x512"` (iOS 18).
    public convenience init(
        named name: String,
        in bundle: Bundle = .main,
        accelerator: Accelerator = .auto,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) throws {
        let urls = StyleTransferModels.urls(named: name, in: bundle)
        guard !urls.isEmpty else { throw Failure.modelNotFound(name) }
        self.init(compiledModelsAt: urls, accelerator: accelerator, configuration: configuration)
    }

    /// Compiles .mlpackage files of one style, such as ones that the app has downloaded. What is compiled is cached in
    /// the app's caches folder, so that a package is compiled only once.
    public convenience init(
        packagesAt urls: [URL],
        accelerator: Accelerator = .auto,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws {
        guard !urls.isEmpty else { throw Failure.modelNotFound("package") }
        var compiled: [URL] = []
        for url in urls { compiled.append(try await StyleTransferModels.compiled(url)) }
        self.init(compiledModelsAt: compiled, accelerator: accelerator, configuration: configuration)
    }

    /// Takes .mlmodelc folders of one style, at least one. Compute units of the configuration are those of `accelerator`.
    public init(
        compiledModelsAt urls: [URL],
        accelerator: Accelerator = .auto,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) {
        precondition(!urls.isEmpty, "name at least one model")
        queue = StyleTransferQueue("StyleTransfer")
        renderer = StyleTransferRenderer()
        weights = nil
        models = StyleTransferModels(urls, accelerator, configuration)
    }

    /// Shares the models, the thread and the buffers of another one, with weights of the styles of its store.
    init(sharing other: StyleTransfer, weights: [Double]) {
        queue = other.queue
        renderer = other.renderer
        models = other.models
        self.weights = weights
    }

    /// Loads the model for photos of this size, so that the first photo need not wait. It is compared with the CPU on a
    /// test picture at the first use on this version of the system; the CPU runs instead where they differ.
    public func prepare(width: Int = 3, height: Int = 4, strokeResolution: Int? = nil) async throws {
        try await queue.run { [self] _ in
            _ = try package(width * 1024, height * 1024, strokeResolution)
        }
    }

    /// Returns the names of the styles of a store, in the order of their weights; none for a model of one style.
    func styles() async throws -> [String] {
        try await queue.run { [self] _ in try package(1024, 1024, nil).styles }
    }

    /// What runs the network, and why not what was asked for: a sentence for the app's log, or none.
    public func status() async throws -> (accelerator: Accelerator, fallbackReasons: [String]) {
        try await queue.run { [self] _ in
            let models = try openModels()
            return (models.accelerator, models.fallbackReasons)
        }
    }

    /// Returns a stylized copy of `photo` with the same size and transparency, in sRGB.
    ///
    /// Cancelling the task ends the work between two strips of the photo, with `CancellationError`; a prediction of Core
    /// ML is completed.
    ///
    /// - Parameters:
    ///   - orientation: the orientation of the photo; `styleTransferOrientation` is that of a UIImage. The result is
    ///     upright.
    ///   - strength: how strongly to stylize, from 0 (the photo) to 1 (the full style).
    ///   - keepColors: whether to keep the photo's colors and transfer only the brush strokes.
    ///   - mask: a grayscale image of any size with the upright photo's aspect ratio. White areas are stylized, black
    ///     and transparent areas keep the photo, and gray areas blend the two.
    ///   - invertMask: whether to stylize the black areas instead of the white ones.
    ///   - strokeResolution: the short side, in pixels, at which the network should run: the nearest model does. nil is
    ///     that of the style, or `defaultStrokeResolution`.
    ///   - restoreDetail: whether to restore the detail of a photo larger than the model, on the CPU; otherwise the
    ///     stylized image is only enlarged.
    public func stylize(
        _ photo: CGImage,
        orientation: CGImagePropertyOrientation = .up,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false,
        strokeResolution: Int? = nil,
        restoreDetail: Bool = true
    ) async throws -> CGImage {
        try await queue.run { [self] cancellation in
            let image = CIImage(cgImage: photo).oriented(orientation)
            let controls = try self.controls(image, strength, keepColors, mask, invertMask)
            return try renderer.cgImage(stylized(image, controls, strokeResolution, restoreDetail, cancellation))
        }
    }

    /// Returns a stylized copy of `photo`, such as a camera frame, with the same size and transparency.
    ///
    /// - Parameters:
    ///   - into: a buffer of the upright photo's size to reuse as the result; nil takes one of a pool, as 32BGRA, to
    ///     which it returns once nobody retains it.
    ///   - restoreDetail: false is faster, and hardly differs for frames near the size of the model.
    ///
    /// The other parameters are those of the function for a CGImage.
    public func stylize(
        _ photo: CVPixelBuffer,
        orientation: CGImagePropertyOrientation = .up,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false,
        strokeResolution: Int? = nil,
        restoreDetail: Bool = true,
        into: CVPixelBuffer? = nil
    ) async throws -> CVPixelBuffer {
        try await queue.run { [self] cancellation in
            let image = CIImage(cvPixelBuffer: photo).oriented(orientation)
            let (width, height) = (Int(image.extent.width), Int(image.extent.height))
            if let into, CVPixelBufferGetWidth(into) != width || CVPixelBufferGetHeight(into) != height {
                let size = "\(CVPixelBufferGetWidth(into))x\(CVPixelBufferGetHeight(into))"
                throw Failure.resultSize(size, photo: "\(width)x\(height)")
            }
            let controls = try self.controls(image, strength, keepColors, mask, invertMask)
            let result = try stylized(image, controls, strokeResolution, restoreDetail, cancellation)
            return try renderer.rendered(
                result, width: width, height: height, format: kCVPixelFormatType_32BGRA, into: into)
        }
    }

    /// Runs `work` after the running photo, with a function that stylizes an image at the origin.
    func onQueue(
        _ work: @escaping (
            _ renderer: StyleTransferRenderer,
            _ stylize: (_ image: CIImage, _ strength: Double, _ keepColors: Bool) throws -> CIImage
        ) -> Void
    ) {
        queue.later { [self] in
            work(renderer) { image, strength, keepColors in
                let controls = try self.controls(image, strength, keepColors, nil, false)
                return try stylized(image, controls, nil, false, StyleTransferCancellation())
            }
        }
    }

    /// Releases the loaded models and the buffers that are reused for the next photo, after the running one: for
    /// `didReceiveMemoryWarning`.
    public func trim() {
        queue.later { [self] in
            renderer.trim()
            models?.releaseAll()
        }
    }

    /// Releases all memory after the running photo, without waiting for it.
    public func close() {
        queue.later { [self] in
            renderer.trim()
            models = nil
        }
    }

    // MARK: On the queue

    private func openModels() throws -> StyleTransferModels {
        guard let models else { throw Failure.closed }
        return models
    }

    private func package(_ width: Int, _ height: Int, _ resolution: Int?) throws -> StyleTransferModels.Loaded {
        let models = try openModels()
        if let resolution, resolution < 16 { throw Failure.strokeResolution(resolution) }
        let side = try resolution ?? models.strokeResolution() ?? Self.defaultStrokeResolution
        let scale = min(1, Double(side) / Double(min(width, height)))
        let wanted = StyleTransferModels.Size(
            width: max(1, Int((Double(width) * scale).rounded())),
            height: max(1, Int((Double(height) * scale).rounded())))
        var package = try models.nearest(to: wanted)
        if let weights { package.weights = weights }
        return package
    }

    private func controls(
        _ image: CIImage, _ strength: Double, _ keepColors: Bool, _ mask: CGImage?, _ invertMask: Bool
    ) throws -> StyleTransferControls {
        try StyleTransferControls(
            strength: strength, keepColors: keepColors, mask: mask, invertMask: invertMask,
            width: Int(image.extent.width), height: Int(image.extent.height))
    }

    private func stylized(
        _ image: CIImage, _ controls: StyleTransferControls, _ strokeResolution: Int?, _ restoreDetail: Bool,
        _ cancellation: StyleTransferCancellation
    ) throws -> CIImage {
        let (width, height) = (Int(image.extent.width), Int(image.extent.height))
        let package = try self.package(width, height, strokeResolution)
        return try renderer.stylized(image, package, controls, restoreDetail: restoreDetail, cancellation)
    }
}
