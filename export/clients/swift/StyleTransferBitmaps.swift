// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreGraphics
import CoreImage
import ImageIO

#if canImport(UIKit)
import UIKit

extension UIImage {
    /// The orientation of `cgImage`, as `stylize` and `stylizeLarge` take it.
    public var styleTransferOrientation: CGImagePropertyOrientation {
        switch imageOrientation {
        case .up: return .up
        case .upMirrored: return .upMirrored
        case .down: return .down
        case .downMirrored: return .downMirrored
        case .left: return .left
        case .leftMirrored: return .leftMirrored
        case .right: return .right
        case .rightMirrored: return .rightMirrored
        @unknown default: return .up
        }
    }
}

@available(iOS 16.0, *)
extension StyleTransfer {
    /// Returns a stylized copy of `photo` with the same size, scale and transparency; it is upright.
    ///
    /// The parameters are those of the function for a CGImage. `photo` must have one: an image of Core Image has none.
    public func stylize(
        _ photo: UIImage,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false,
        strokeResolution: Int? = nil
    ) async throws -> UIImage {
        guard let image = photo.cgImage else { throw Failure.noBitmap }
        let stylized = try await stylize(
            image, orientation: photo.styleTransferOrientation, strength: strength, keepColors: keepColors, mask: mask,
            invertMask: invertMask, strokeResolution: strokeResolution)
        return UIImage(cgImage: stylized, scale: photo.scale, orientation: .up)
    }
}
#endif

/// Bitmaps of premultiplied RGBA in 8 bits, in sRGB, read and written as straight RGBA.
extension CGContext {
    /// Returns an empty bitmap, or nil if there is not enough memory.
    static func bitmap(width: Int, height: Int) -> CGContext? {
        CGContext(
            data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4,
            space: CGColorSpace(name: CGColorSpace.sRGB)!, bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
    }

    /// Returns a bitmap with an upright copy of a photo of any color space, or nil if there is not enough memory.
    static func bitmap(of photo: CGImage, orientation: CGImagePropertyOrientation = .up) -> CGContext? {
        let stored = CGRect(x: 0, y: 0, width: photo.width, height: photo.height)
        let transform = CIImage(cgImage: photo).orientationTransform(for: orientation)
        let upright = stored.applying(transform)
        let (width, height) = (Int(upright.width.rounded()), Int(upright.height.rounded()))
        guard let context = bitmap(width: width, height: height) else { return nil }
        context.interpolationQuality = .high
        context.setBlendMode(.copy)
        context.translateBy(x: -upright.minX, y: -upright.minY)
        context.concatenate(transform)
        context.draw(photo, in: stored)
        return context
    }

    func pixel(_ x: Int, _ y: Int) -> UnsafeMutablePointer<UInt8> {
        data!.assumingMemoryBound(to: UInt8.self) + y * bytesPerRow + x * 4
    }

    /// Writes the straight RGBA of a pixel to four bytes.
    func readStraight(_ x: Int, _ y: Int, _ rgba: UnsafeMutablePointer<UInt8>) {
        let source = pixel(x, y)
        let alpha = Int(source[3])
        for c in 0..<3 {
            rgba[c] = alpha == 0 ? 0 : UInt8(min(255, (Int(source[c]) * 255 + alpha / 2) / alpha))
        }
        rgba[3] = source[3]
    }

    /// Writes the colors of `count` straight pixels from column `x` of row `y`, which has the alpha of `photo` already.
    func writePremultiplied(
        _ row: UnsafePointer<UInt8>, alphaOf photo: UnsafePointer<UInt8>, x: Int, y: Int, count: Int
    ) {
        let target = pixel(x, y)
        for i in 0..<count {
            let alpha = Int(photo[i * 4 + 3])
            for c in i * 4..<i * 4 + 3 { target[c] = UInt8((Int(row[c]) * alpha + 127) / 255) }
        }
    }
}
