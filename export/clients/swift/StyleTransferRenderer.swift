// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreImage
import CoreVideo
import Foundation

/// From a photo to its stylized copy, in Core Image and strip by strip, which limits the memory.
@available(iOS 16.0, macOS 13.0, *)
final class StyleTransferRenderer {
    let colors = CGColorSpace(name: CGColorSpace.sRGB)!
    private let context: CIContext
    private var pools: [String: CVPixelBufferPool] = [:]
    private static let strip = 256  // rows that are rendered at a time

    init() {
        // Resize gamma-encoded values rather than linear light, as the other clients do.
        context = CIContext(options: [.workingColorSpace: colors, .cacheIntermediates: false])
    }

    /// Releases the buffers for the next photo.
    func trim() {
        pools = [:]
        context.clearCaches()
    }

    /// Returns the stylized copy of an upright photo, as an image at the origin.
    func stylized(
        _ source: CIImage, _ package: StyleTransferModels.Loaded, _ controls: StyleTransferControls,
        restoreDetail: Bool, _ cancellation: StyleTransferCancellation
    ) throws -> CIImage {
        let extent = source.extent
        let photo = source.transformed(by: CGAffineTransform(translationX: -extent.minX, y: -extent.minY))
        if controls.strength == 0 { return photo }

        // The network's input is straight RGB without alpha.
        let opaque = photo.unpremultiplyingAlpha().settingAlphaOne(in: photo.extent)
        let size = package.size
        let input = try rendered(
            resized(opaque, to: CGSize(width: size.width, height: size.height)), width: size.width,
            height: size.height, format: package.pixelFormat)
        let isLarger = Int(photo.extent.width) > size.width && Int(photo.extent.height) > size.height
        let small = restoreDetail && isLarger ? bytes(CIImage(cvPixelBuffer: input), size.width, size.height) : nil
        if !package.grain.isEmpty { addGrain(package, to: input) }
        try cancellation.check()
        let output = CIImage(cvPixelBuffer: try package.prediction(from: input), options: [.colorSpace: colors])
        try cancellation.check()
        let stylized = resized(output, to: photo.extent.size)
        let strokes = small.map { makeStrokes(output, $0, size, photo.extent) }
        let result =
            strokes == nil && controls.isIdentity
            ? stylized : try blended(stylized, with: opaque, controls, strokes, cancellation)
        let transparent = result.applyingFilter(
            "CISourceInCompositing", parameters: [kCIInputBackgroundImageKey: photo])
        return transparent.cropped(to: photo.extent)
    }

    private func addGrain(_ package: StyleTransferModels.Loaded, to buffer: CVPixelBuffer) {
        let color = package.pixelFormat == kCVPixelFormatType_32ARGB ? 1 : 0  // the first of three channels
        StyleTransferModels.withBytes(of: buffer) { bytes, rowBytes in
            for y in 0..<package.size.height {
                for x in 0..<package.size.width {
                    package.grain.add(to: bytes + y * rowBytes + 4 * x + color, x: x, y: y)
                }
            }
        }
    }

    /// Renders an image at the origin to a bitmap in sRGB.
    func cgImage(_ image: CIImage) throws -> CGImage {
        guard let image = context.createCGImage(image, from: image.extent, format: .RGBA8, colorSpace: colors) else {
            throw StyleTransfer.Failure.outOfMemory
        }
        return image
    }

    /// Renders an image at the origin to a buffer: `target`, or one of a pool.
    func rendered(
        _ image: CIImage, width: Int, height: Int, format: OSType, into target: CVPixelBuffer? = nil
    ) throws -> CVPixelBuffer {
        let buffer = try target ?? self.buffer(width: width, height: height, format: format)
        CVBufferSetAttachment(buffer, kCVImageBufferCGColorSpaceKey, colors, .shouldPropagate)
        context.render(image, to: buffer, bounds: CGRect(x: 0, y: 0, width: width, height: height), colorSpace: colors)
        return buffer
    }

    /// Returns a buffer of a pool, which takes it back once nobody retains it.
    private func buffer(width: Int, height: Int, format: OSType) throws -> CVPixelBuffer {
        let key = "\(width)x\(height) \(format)"
        if pools[key] == nil {
            let attributes: [CFString: Any] = [
                kCVPixelBufferWidthKey: width, kCVPixelBufferHeightKey: height,
                kCVPixelBufferPixelFormatTypeKey: format, kCVPixelBufferIOSurfacePropertiesKey: [String: Any](),
            ]
            var pool: CVPixelBufferPool?
            CVPixelBufferPoolCreate(kCFAllocatorDefault, nil, attributes as CFDictionary, &pool)
            pools[key] = pool
        }
        guard let pool = pools[key] else { throw StyleTransfer.Failure.outOfMemory }
        var created: CVPixelBuffer?
        CVPixelBufferPoolCreatePixelBuffer(kCFAllocatorDefault, pool, &created)
        guard let buffer = created else { throw StyleTransfer.Failure.outOfMemory }
        return buffer
    }

    /// Returns the straight RGBA of an opaque image at the origin.
    func bytes(_ image: CIImage, _ width: Int, _ height: Int) -> [UInt8] {
        var rgba = [UInt8](repeating: 255, count: width * height * 4)
        let bounds = CGRect(x: 0, y: 0, width: width, height: height)
        context.render(
            image, toBitmap: &rgba, rowBytes: width * 4, bounds: bounds, format: .RGBA8, colorSpace: colors)
        return rgba
    }

    private func makeStrokes(
        _ output: CIImage, _ small: [UInt8], _ size: StyleTransferModels.Size, _ photo: CGRect
    ) -> StyleTransferStrokes {
        StyleTransferStrokes(
            stylized: bytes(output, size.width, size.height), small: small, smallWidth: size.width,
            smallHeight: size.height, width: Int(photo.width), height: Int(photo.height))
    }

    /// Blends two opaque images of the same size at the origin. `strokes` computes the stylized image instead, if not
    /// nil.
    private func blended(
        _ stylized: CIImage, with photo: CIImage, _ controls: StyleTransferControls, _ strokes: StyleTransferStrokes?,
        _ cancellation: StyleTransferCancellation
    ) throws -> CIImage {
        let (width, height) = (Int(photo.extent.width), Int(photo.extent.height))
        var result = Data(count: width * height * 4)
        var photoStrip = [UInt8](repeating: 0, count: width * min(Self.strip, height) * 4)
        try result.withUnsafeMutableBytes { (result: UnsafeMutableRawBufferPointer) in
            try photoStrip.withUnsafeMutableBytes { (photoStrip: UnsafeMutableRawBufferPointer) in
                let source = photoStrip.bindMemory(to: UInt8.self).baseAddress!
                let target = result.bindMemory(to: UInt8.self).baseAddress!
                for top in stride(from: 0, to: height, by: Self.strip) {
                    try cancellation.check()
                    let rows = min(Self.strip, height - top)
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
    func resized(_ image: CIImage, to size: CGSize) -> CIImage {
        let (scaleX, scaleY) = (size.width / image.extent.width, size.height / image.extent.height)
        let scale: [String: Any] = [kCIInputScaleKey: scaleY, kCIInputAspectRatioKey: scaleX / scaleY]
        // Extend the edges, because the filter would otherwise blend them with the transparent surroundings.
        return image.clampedToExtent()
            .applyingFilter("CILanczosScaleTransform", parameters: scale)
            .cropped(to: CGRect(origin: .zero, size: size))
    }
}
