// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreGraphics
import CoreML
import CoreVideo
import Foundation

/// Stylizes photos in a style of a store by name, or in a blend of several, with a package `Model_blend_WxH` of a
/// store's bundle. Requires StyleTransferBitmaps.swift and iOS 16 or newer.
///
/// Create one instance and reuse it. The functions are thread-safe and blocking, so call them off the main thread. The
/// photo is resized to the model's size, and the result to that of the photo; `StyleTransfer` also restores the photo's
/// detail, for one style at a time: run `Model_ios18.mlpackage` in it with `configuration.functionName`.
@available(iOS 16.0, macOS 13.0, *)
public final class StyleTransferStore: @unchecked Sendable {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case modelNotFound(String)
        case unsupportedModel(String)
        case unknownStyle(String, [String])
        case invalidWeights(Double)
        case outOfMemory

        public var errorDescription: String? {
            switch self {
            case .modelNotFound(let name):
                return "The app contains no \(name).mlmodelc; add \(name).mlpackage to the target in Xcode."
            case .unsupportedModel(let feature):
                return "This model is not that of a store: it has no \(feature)."
            case .unknownStyle(let name, let names):
                return "There is no style \(name); there are \(names.joined(separator: ", "))."
            case .invalidWeights(let sum):
                return "The weights sum to \(sum); they must be from 0 to 1 and sum to 1."
            case .outOfMemory:
                return "There is not enough memory for an image of this size."
            }
        }
    }

    /// The names of the styles.
    public let styles: [String]
    /// The width of the model's input and output, in pixels.
    public let width: Int
    /// The height of the model's input and output, in pixels.
    public let height: Int

    private let model: MLModel
    private let lock = NSLock()

    /// Loads a model that Xcode has compiled into the app: "Model_blend_768x1024" for Model_blend_768x1024.mlpackage.
    public convenience init(named name: String, in bundle: Bundle = .main) throws {
        guard let url = bundle.url(forResource: name, withExtension: "mlmodelc") else {
            throw Failure.modelNotFound(name)
        }
        try self.init(compiledModelAt: url)
    }

    /// Loads an .mlmodelc.
    public init(compiledModelAt url: URL) throws {
        model = try MLModel(contentsOf: url)
        let inputs = model.modelDescription.inputDescriptionsByName
        guard let image = inputs["image"]?.imageConstraint else { throw Failure.unsupportedModel("input image") }
        let metadata = model.modelDescription.metadata[.creatorDefinedKey] as? [String: String]
        guard inputs["styles"] != nil, let names = metadata?["style_names"] else {
            throw Failure.unsupportedModel("input styles")
        }
        styles = names.components(separatedBy: "\n")
        width = image.pixelsWide
        height = image.pixelsHigh
    }

    /// Returns a stylized copy of `photo` with the same size and transparency, in one style.
    public func stylize(_ photo: CGImage, style: String) throws -> CGImage {
        try stylize(photo, styles: [style: 1])
    }

    /// Returns a stylized copy of `photo` with the same size and transparency.
    ///
    /// - Parameters:
    ///   - styles: the weights of styles by name, from 0 to 1, which sum to 1.
    public func stylize(_ photo: CGImage, styles weights: [String: Double]) throws -> CGImage {
        let styles = try multiArray(weights)
        let input = try pixelBuffer(of: photo)
        let features = try MLDictionaryFeatureProvider(dictionary: [
            "image": MLFeatureValue(pixelBuffer: input), "styles": MLFeatureValue(multiArray: styles),
        ])
        // MLModel is not thread-safe.
        let output = try lock.withLock { try model.prediction(from: features) }
        guard let stylized = output.featureValue(for: "stylized")?.imageBufferValue else {
            throw Failure.unsupportedModel("output stylized")
        }
        return try image(of: stylized, like: photo)
    }

    private func multiArray(_ weights: [String: Double]) throws -> MLMultiArray {
        let sum = weights.values.reduce(0, +)
        guard weights.values.allSatisfy({ (0...1).contains($0) }), abs(sum - 1) < 1e-3 else {
            throw Failure.invalidWeights(sum)
        }
        if let unknown = weights.keys.first(where: { !styles.contains($0) }) {
            throw Failure.unknownStyle(unknown, styles)
        }
        let array = try MLMultiArray(shape: [1, NSNumber(value: styles.count)], dataType: .float32)
        for (index, name) in styles.enumerated() { array[index] = NSNumber(value: Float(weights[name] ?? 0)) }
        return array
    }

    /// Draws the photo at the model's size, without transparency.
    private func pixelBuffer(of photo: CGImage) throws -> CVPixelBuffer {
        var created: CVPixelBuffer?
        CVPixelBufferCreate(kCFAllocatorDefault, width, height, kCVPixelFormatType_32BGRA, nil, &created)
        guard let buffer = created else { throw Failure.outOfMemory }
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        let info = CGImageAlphaInfo.noneSkipFirst.rawValue | CGBitmapInfo.byteOrder32Little.rawValue
        guard
            let context = CGContext(
                data: CVPixelBufferGetBaseAddress(buffer), width: width, height: height, bitsPerComponent: 8,
                bytesPerRow: CVPixelBufferGetBytesPerRow(buffer), space: CGColorSpace(name: CGColorSpace.sRGB)!,
                bitmapInfo: info)
        else { throw Failure.outOfMemory }
        context.interpolationQuality = .high
        context.draw(photo, in: CGRect(x: 0, y: 0, width: width, height: height))
        return buffer
    }

    /// Enlarges the stylized image to the size of the photo, with its transparency.
    private func image(of stylized: CVPixelBuffer, like photo: CGImage) throws -> CGImage {
        CVPixelBufferLockBaseAddress(stylized, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(stylized, .readOnly) }
        let info = CGImageAlphaInfo.noneSkipFirst.rawValue | CGBitmapInfo.byteOrder32Little.rawValue
        guard
            let small = CGContext(
                data: CVPixelBufferGetBaseAddress(stylized), width: width, height: height, bitsPerComponent: 8,
                bytesPerRow: CVPixelBufferGetBytesPerRow(stylized), space: CGColorSpace(name: CGColorSpace.sRGB)!,
                bitmapInfo: info)?.makeImage(),
            let result = CGContext.bitmap(width: photo.width, height: photo.height)
        else { throw Failure.outOfMemory }
        let bounds = CGRect(x: 0, y: 0, width: photo.width, height: photo.height)
        result.interpolationQuality = .high
        result.draw(photo, in: bounds)
        result.setBlendMode(.sourceIn)  // the color of the stylized image, the alpha of the photo
        result.draw(small, in: bounds)
        guard let image = result.makeImage() else { throw Failure.outOfMemory }
        return image
    }
}
