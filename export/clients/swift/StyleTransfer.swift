// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreImage
import CoreML
import CoreVideo
import CryptoKit
import Foundation
import ImageIO

/// Stylizes photos in the style of this bundle. Requires StyleTransferBitmaps.swift, StyleTransferControls.swift,
/// StyleTransferStrokes.swift and iOS 16 or newer.
///
/// Create one instance and reuse it, because loading the model and the first prediction are slow. The functions are
/// thread-safe and blocking, and process one photo at a time, so call them off the main thread.
///
/// The model has a fixed size. The photo is resized to it and stylized; the result is enlarged, and the photo's detail
/// restored. This distorts the strokes if the aspect ratios differ. Choose the model whose aspect ratio is closest to
/// that of your photos, and whose short side is closest to `strokeResolution`.
@available(iOS 16.0, macOS 13.0, *)
public final class StyleTransfer: @unchecked Sendable {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case modelNotFound(String)
        case unsupportedModel(String)
        case outOfMemory

        public var errorDescription: String? {
            switch self {
            case .modelNotFound(let name):
                return "The app contains no \(name).mlmodelc; add \(name).mlpackage to the target in Xcode."
            case .unsupportedModel(let feature):
                return "This model was not exported by impasto: it has no \(feature)."
            case .outOfMemory:
                return "There is not enough memory for an image of this size."
            }
        }
    }

    /// The width of the model's input and output, in pixels.
    public let width: Int
    /// The height of the model's input and output, in pixels.
    public let height: Int

    /// The short side, in pixels, of a photo whose brush strokes are as large as the painting's; nil if the model has
    /// none.
    public let strokeResolution: Int?

    private let model: MLModel
    private let pixelFormat: OSType
    private let colors = CGColorSpace(name: CGColorSpace.sRGB)!
    private let context: CIContext
    private let lock = NSLock()

    /// Loads a model that Xcode has compiled into the app: "Model_512x512" for ios/Model_512x512.mlpackage.
    ///
    /// For Model_ios18.mlpackage, which contains all sizes, set `configuration.functionName = "size_512x512"` (iOS 18).
    public convenience init(
        named name: String,
        in bundle: Bundle = .main,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) throws {
        guard let url = bundle.url(forResource: name, withExtension: "mlmodelc") else {
            throw Failure.modelNotFound(name)
        }
        try self.init(compiledModelAt: url, configuration: configuration)
    }

    /// Compiles and loads an .mlpackage, such as one that the app has downloaded. The compiled model is cached in the
    /// app's caches folder, so that a package is compiled only once.
    public convenience init(
        packageAt url: URL,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws {
        let compiled = try await StyleTransfer.compiledModel(of: url)
        try self.init(compiledModelAt: compiled, configuration: configuration)
    }

    private static func compiledModel(of package: URL) async throws -> URL {
        let files = FileManager.default
        let folder = try files.url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            .appendingPathComponent("StyleTransfer", isDirectory: true)
        let cached = folder.appendingPathComponent("\(try digest(of: package)).mlmodelc", isDirectory: true)
        if files.fileExists(atPath: cached.path) { return cached }
        let compiled = try await MLModel.compileModel(at: package)
        do {
            try files.createDirectory(at: folder, withIntermediateDirectories: true)
            try files.moveItem(at: compiled, to: cached)
        } catch {
            guard files.fileExists(atPath: cached.path) else { return compiled }
            try? files.removeItem(at: compiled)  // another call has compiled the same package meanwhile
        }
        return cached
    }

    /// Returns the SHA-256 of the names and contents of the files in a folder.
    private static func digest(of folder: URL) throws -> String {
        var hash = SHA256()
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() {
            let file = folder.appendingPathComponent(name)
            guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            hash.update(data: Data(name.utf8))
            hash.update(data: try Data(contentsOf: file, options: .mappedIfSafe))
        }
        return hash.finalize().map { String(format: "%02x", $0) }.joined()
    }

    /// Loads an .mlmodelc.
    public init(compiledModelAt url: URL, configuration: MLModelConfiguration = MLModelConfiguration()) throws {
        model = try MLModel(contentsOf: url, configuration: configuration)
        guard let constraint = model.modelDescription.inputDescriptionsByName["image"]?.imageConstraint else {
            throw Failure.unsupportedModel("input image")
        }
        let metadata = model.modelDescription.metadata[.creatorDefinedKey] as? [String: String]
        strokeResolution = metadata?["stroke_resolution"].flatMap { Int($0) }
        width = constraint.pixelsWide
        height = constraint.pixelsHigh
        pixelFormat = constraint.pixelFormatType
        // Resize gamma-encoded values rather than linear light, as the other clients do.
        context = CIContext(options: [.workingColorSpace: colors])
    }

    /// Returns a stylized copy of `photo` with the same size and transparency.
    ///
    /// - Parameters:
    ///   - orientation: the orientation of the photo; `styleTransferOrientation` is that of a UIImage. The result is
    ///     upright.
    ///   - strength: how strongly to stylize, from 0 (the photo) to 1 (the full style).
    ///   - keepColors: whether to keep the photo's colors and transfer only the brush strokes.
    ///   - mask: a grayscale image of any size with the upright photo's aspect ratio. White areas are stylized, black
    ///     and transparent areas keep the photo, and gray areas blend the two.
    ///   - invertMask: whether to stylize the black areas instead of the white ones.
    ///   - restoreDetail: whether to restore the detail of a photo larger than the model, on the CPU; otherwise the
    ///     stylized image is only enlarged.
    public func stylize(
        _ photo: CGImage,
        orientation: CGImagePropertyOrientation = .up,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false,
        restoreDetail: Bool = true
    ) throws -> CGImage {
        let upright = CIImage(cgImage: photo).oriented(orientation)
        let controls = try StyleTransferControls(
            strength: strength, keepColors: keepColors, mask: mask, invertMask: invertMask,
            width: Int(upright.extent.width), height: Int(upright.extent.height))
        let result = try stylized(upright, controls, restoreDetail)
        guard let image = context.createCGImage(result, from: result.extent, format: .RGBA8, colorSpace: colors) else {
            throw Failure.outOfMemory
        }
        return image
    }

    /// Returns a stylized copy of `photo`, such as a camera frame, with the same size and transparency, as 32BGRA.
    ///
    /// - Parameters:
    ///   - orientation: the orientation of the photo. The result is upright.
    ///   - strength: how strongly to stylize, from 0 (the photo) to 1 (the full style).
    ///   - keepColors: whether to keep the photo's colors and transfer only the brush strokes.
    ///   - mask: a grayscale image of any size with the upright photo's aspect ratio. White areas are stylized, black
    ///     and transparent areas keep the photo, and gray areas blend the two.
    ///   - invertMask: whether to stylize the black areas instead of the white ones.
    ///   - restoreDetail: whether to restore the detail of a photo larger than the model, on the CPU; otherwise the
    ///     stylized image is only enlarged.
    public func stylize(
        _ photo: CVPixelBuffer,
        orientation: CGImagePropertyOrientation = .up,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false,
        restoreDetail: Bool = true
    ) throws -> CVPixelBuffer {
        let upright = CIImage(cvPixelBuffer: photo).oriented(orientation)
        let (width, height) = (Int(upright.extent.width), Int(upright.extent.height))
        let controls = try StyleTransferControls(
            strength: strength, keepColors: keepColors, mask: mask, invertMask: invertMask,
            width: width, height: height)
        let result = try stylized(upright, controls, restoreDetail)
        return try rendered(result, width: width, height: height, format: kCVPixelFormatType_32BGRA)
    }

    private func stylized(
        _ source: CIImage, _ controls: StyleTransferControls, _ restoreDetail: Bool
    ) throws -> CIImage {
        let extent = source.extent
        let photo = source.transformed(by: CGAffineTransform(translationX: -extent.minX, y: -extent.minY))
        if controls.strength == 0 { return photo }

        // The network's input is straight RGB without alpha.
        let opaque = photo.unpremultiplyingAlpha().settingAlphaOne(in: photo.extent)
        let size = CGSize(width: width, height: height)
        let input = try rendered(resized(opaque, to: size), width: width, height: height, format: pixelFormat)
        let output = CIImage(cvPixelBuffer: try prediction(from: input), options: [.colorSpace: colors])
        let stylized = resized(output, to: photo.extent.size)
        let isLarger = Int(photo.extent.width) > width && Int(photo.extent.height) > height
        let strokes = restoreDetail && isLarger ? makeStrokes(output, CIImage(cvPixelBuffer: input), photo.extent) : nil
        let blended =
            strokes == nil && controls.isIdentity ? stylized : self.blended(stylized, with: opaque, controls, strokes)
        let transparent = blended.applyingFilter(
            "CISourceInCompositing", parameters: [kCIInputBackgroundImageKey: photo])
        return transparent.cropped(to: photo.extent)
    }

    private func makeStrokes(_ output: CIImage, _ input: CIImage, _ photo: CGRect) -> StyleTransferStrokes {
        let pixels = [output, input].map { image -> [UInt8] in
            var rgba = [UInt8](repeating: 255, count: width * height * 4)
            context.render(
                image, toBitmap: &rgba, rowBytes: width * 4, bounds: CGRect(x: 0, y: 0, width: width, height: height),
                format: .RGBA8, colorSpace: colors)
            return rgba
        }
        return StyleTransferStrokes(
            stylized: pixels[0], small: pixels[1], smallWidth: width, smallHeight: height,
            width: Int(photo.width), height: Int(photo.height))
    }

    /// Blends two opaque images of the same size at the origin, strip by strip to limit the memory of rendering.
    /// `strokes` computes the stylized image instead, if not nil.
    private func blended(
        _ stylized: CIImage, with photo: CIImage, _ controls: StyleTransferControls, _ strokes: StyleTransferStrokes?
    ) -> CIImage {
        let (width, height, strip) = (Int(photo.extent.width), Int(photo.extent.height), 256)
        var result = Data(count: width * height * 4)
        var photoStrip = [UInt8](repeating: 0, count: width * min(strip, height) * 4)
        result.withUnsafeMutableBytes { result in
            photoStrip.withUnsafeMutableBytes { photoStrip in
                let source = photoStrip.bindMemory(to: UInt8.self).baseAddress!
                let target = result.bindMemory(to: UInt8.self).baseAddress!
                for top in stride(from: 0, to: height, by: strip) {
                    let rows = min(strip, height - top)
                    // In Core Image the origin is at the bottom left.
                    let bounds = CGRect(x: 0, y: height - top - rows, width: width, height: rows)
                    let base = strokes == nil ? stylized : photo  // strokes overwrite all but alpha
                    for (image, bitmap) in [(photo, source), (base, target + top * width * 4)] {
                        context.render(
                            image, toBitmap: bitmap, rowBytes: width * 4, bounds: bounds, format: .RGBA8,
                            colorSpace: colors)
                    }
                    for y in 0..<rows {
                        let row = target + (top + y) * width * 4
                        strokes?.nextRow(source + y * width * 4, into: row)
                        controls.blend(source + y * width * 4, into: row, y: top + y, left: 0, count: width)
                    }
                }
            }
        }
        return CIImage(
            bitmapData: result, bytesPerRow: width * 4, size: photo.extent.size, format: .RGBA8, colorSpace: colors)
    }

    /// Resizes an image at the origin.
    private func resized(_ image: CIImage, to size: CGSize) -> CIImage {
        let (scaleX, scaleY) = (size.width / image.extent.width, size.height / image.extent.height)
        let scale: [String: Any] = [kCIInputScaleKey: scaleY, kCIInputAspectRatioKey: scaleX / scaleY]
        // Extend the edges, because the filter would otherwise blend them with the transparent surroundings.
        return image.clampedToExtent()
            .applyingFilter("CILanczosScaleTransform", parameters: scale)
            .cropped(to: CGRect(origin: .zero, size: size))
    }

    private func rendered(_ image: CIImage, width: Int, height: Int, format: OSType) throws -> CVPixelBuffer {
        var created: CVPixelBuffer?
        let attributes = [kCVPixelBufferIOSurfacePropertiesKey: [String: Any]()] as CFDictionary
        CVPixelBufferCreate(kCFAllocatorDefault, width, height, format, attributes, &created)
        guard let buffer = created else { throw Failure.outOfMemory }
        CVBufferSetAttachment(buffer, kCVImageBufferCGColorSpaceKey, colors, .shouldPropagate)
        context.render(image, to: buffer, bounds: CGRect(x: 0, y: 0, width: width, height: height), colorSpace: colors)
        return buffer
    }

    private func prediction(from image: CVPixelBuffer) throws -> CVPixelBuffer {
        let input = try MLDictionaryFeatureProvider(dictionary: ["image": MLFeatureValue(pixelBuffer: image)])
        // MLModel is not thread-safe.
        let output = try lock.withLock { try model.prediction(from: input) }
        guard let stylized = output.featureValue(for: "stylized")?.imageBufferValue else {
            throw Failure.unsupportedModel("output stylized")
        }
        return stylized
    }
}
