import CoreImage
import CoreML
import CoreVideo
import Foundation
import ImageIO

/// Stylizes photos in the style of this bundle. Requires StyleTransferControls.swift beside it, and iOS 16 or newer.
///
/// Create one instance and reuse it: loading the model takes time, and so does the first photo. It works on one photo
/// at a time, from any thread, and blocks, so call it off the main thread.
///
/// The model has a fixed size. The whole photo is scaled to it, stylized, and scaled back to its own size: choose the
/// model whose aspect ratio is closest to that of your photos, since the strokes are stretched as the photo was.
@available(iOS 16.0, macOS 13.0, *)
public final class StyleTransfer: @unchecked Sendable {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case noModel(String)
        case otherModel(String)
        case noMemory

        public var errorDescription: String? {
            switch self {
            case .noModel(let name):
                return "The app holds no \(name).mlmodelc; add \(name).mlpackage to the target in Xcode."
            case .otherModel(let what):
                return "This is not a model exported by impasto: it has no \(what)."
            case .noMemory:
                return "There is not enough memory for a picture of this size."
            }
        }
    }

    /// The size that the model works at, in pixels.
    public let width: Int
    public let height: Int

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
        guard let url = bundle.url(forResource: name, withExtension: "mlmodelc") else { throw Failure.noModel(name) }
        try self.init(compiledModelAt: url, configuration: configuration)
    }

    /// Compiles and loads an .mlpackage, such as one that the app has downloaded.
    public convenience init(
        packageAt url: URL,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws {
        let compiled = try await MLModel.compileModel(at: url)
        try self.init(compiledModelAt: compiled, configuration: configuration)
    }

    /// Loads an .mlmodelc.
    public init(compiledModelAt url: URL, configuration: MLModelConfiguration = MLModelConfiguration()) throws {
        model = try MLModel(contentsOf: url, configuration: configuration)
        guard let constraint = model.modelDescription.inputDescriptionsByName["image"]?.imageConstraint else {
            throw Failure.otherModel("input image")
        }
        width = constraint.pixelsWide
        height = constraint.pixelsHigh
        pixelFormat = constraint.pixelFormatType
        // Scaling happens on the stored values, not on linear light, as in the other clients.
        context = CIContext(options: [.workingColorSpace: colors])
    }

    /// Returns a stylized copy of `photo` with the same size and transparency.
    ///
    /// - Parameters:
    ///   - orientation: the orientation of the photo. The result is upright.
    ///   - strength: from 0, the photo itself, to 1, the full style.
    ///   - keepColors: the brush strokes of the style in the colors of the photo.
    ///   - mask: a gray image with the upright photo's aspect ratio, of any size: white is stylized, black and
    ///     transparent parts stay, gray is mixed.
    ///   - invertMask: stylizes the rest instead.
    public func stylize(
        _ photo: CGImage,
        orientation: CGImagePropertyOrientation = .up,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false
    ) throws -> CGImage {
        let upright = CIImage(cgImage: photo).oriented(orientation)
        let controls = try StyleTransferControls(
            strength: strength, keepColors: keepColors, mask: mask, invertMask: invertMask,
            width: Int(upright.extent.width), height: Int(upright.extent.height))
        let result = try painted(upright, controls)
        guard let image = context.createCGImage(result, from: result.extent, format: .RGBA8, colorSpace: colors) else {
            throw Failure.noMemory
        }
        return image
    }

    /// Returns a stylized copy of `photo` with the same size and transparency, as 32BGRA. It accepts camera frames.
    ///
    /// - Parameters:
    ///   - strength: from 0, the photo itself, to 1, the full style.
    ///   - keepColors: the brush strokes of the style in the colors of the photo.
    ///   - mask: a gray image with the photo's aspect ratio, of any size, as above.
    ///   - invertMask: stylizes the rest instead.
    public func stylize(
        _ photo: CVPixelBuffer,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false
    ) throws -> CVPixelBuffer {
        let (width, height) = (CVPixelBufferGetWidth(photo), CVPixelBufferGetHeight(photo))
        let controls = try StyleTransferControls(
            strength: strength, keepColors: keepColors, mask: mask, invertMask: invertMask, width: width, height: height)
        let result = try painted(CIImage(cvPixelBuffer: photo), controls)
        return try rendered(result, width: width, height: height, format: kCVPixelFormatType_32BGRA)
    }

    private func painted(_ source: CIImage, _ controls: StyleTransferControls) throws -> CIImage {
        let extent = source.extent
        let photo = source.transformed(by: CGAffineTransform(translationX: -extent.minX, y: -extent.minY))
        if controls.weight == 0 { return photo }

        // The network takes straight colors without transparency.
        let opaque = photo.unpremultiplyingAlpha().settingAlphaOne(in: photo.extent)
        let size = CGSize(width: width, height: height)
        let input = try rendered(scaled(opaque, to: size), width: width, height: height, format: pixelFormat)
        let stylized = scaled(
            CIImage(cvPixelBuffer: try predicted(input), options: [.colorSpace: colors]), to: photo.extent.size)
        let mixed = controls.isPlain ? stylized : self.mixed(stylized, with: opaque, controls)
        let transparent = mixed.applyingFilter("CISourceInCompositing", parameters: [kCIInputBackgroundImageKey: photo])
        return transparent.cropped(to: photo.extent)
    }

    /// Mixes two opaque images of the same size at the origin, strip by strip, to limit what is rendered at a time.
    private func mixed(_ painted: CIImage, with photo: CIImage, _ controls: StyleTransferControls) -> CIImage {
        let (width, height, strip) = (Int(photo.extent.width), Int(photo.extent.height), 256)
        var result = Data(count: width * height * 4)
        var own = [UInt8](repeating: 0, count: width * min(strip, height) * 4)
        result.withUnsafeMutableBytes { result in
            own.withUnsafeMutableBytes { own in
                let from = own.bindMemory(to: UInt8.self).baseAddress!
                let to = result.bindMemory(to: UInt8.self).baseAddress!
                for top in stride(from: 0, to: height, by: strip) {
                    let rows = min(strip, height - top)
                    // Core Image counts rows from the bottom, memory from the top.
                    let bounds = CGRect(x: 0, y: height - top - rows, width: width, height: rows)
                    for (image, target) in [(photo, from), (painted, to + top * width * 4)] {
                        context.render(
                            image, toBitmap: target, rowBytes: width * 4, bounds: bounds, format: .RGBA8,
                            colorSpace: colors)
                    }
                    for y in 0..<rows {
                        let row = to + (top + y) * width * 4
                        controls.mix(from + y * width * 4, into: row, y: top + y, left: 0, count: width)
                    }
                }
            }
        }
        return CIImage(
            bitmapData: result, bytesPerRow: width * 4, size: photo.extent.size, format: .RGBA8, colorSpace: colors)
    }

    /// Scales an image at the origin.
    private func scaled(_ image: CIImage, to size: CGSize) -> CIImage {
        let (across, down) = (size.width / image.extent.width, size.height / image.extent.height)
        let scale: [String: Any] = [kCIInputScaleKey: down, kCIInputAspectRatioKey: across / down]
        // Clamped first, since the border would otherwise be mixed with transparent pixels around it.
        return image.clampedToExtent()
            .applyingFilter("CILanczosScaleTransform", parameters: scale)
            .cropped(to: CGRect(origin: .zero, size: size))
    }

    private func rendered(_ image: CIImage, width: Int, height: Int, format: OSType) throws -> CVPixelBuffer {
        var made: CVPixelBuffer?
        let attributes = [kCVPixelBufferIOSurfacePropertiesKey: [String: Any]()] as CFDictionary
        CVPixelBufferCreate(kCFAllocatorDefault, width, height, format, attributes, &made)
        guard let buffer = made else { throw Failure.noMemory }
        CVBufferSetAttachment(buffer, kCVImageBufferCGColorSpaceKey, colors, .shouldPropagate)
        context.render(image, to: buffer, bounds: CGRect(x: 0, y: 0, width: width, height: height), colorSpace: colors)
        return buffer
    }

    private func predicted(_ image: CVPixelBuffer) throws -> CVPixelBuffer {
        let input = try MLDictionaryFeatureProvider(dictionary: ["image": MLFeatureValue(pixelBuffer: image)])
        // A Core ML model may be used from one thread at a time.
        let output = try lock.withLock { try model.prediction(from: input) }
        guard let stylized = output.featureValue(for: "stylized")?.imageBufferValue else {
            throw Failure.otherModel("output stylized")
        }
        return stylized
    }
}
