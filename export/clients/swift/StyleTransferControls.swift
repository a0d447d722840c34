// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreGraphics
import Foundation

/// Applies strength, `keepColors` and mask to a stylized photo, row by row, in the order of `impasto-stylize`.
public struct StyleTransferControls {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case strength(Double)
        case mask(String, photo: String)
        case outOfMemory

        public var errorDescription: String? {
            switch self {
            case .strength(let value):
                return "strength is \(value); it must be from 0 to 1."
            case .mask(let mask, let photo):
                return "The mask is \(mask) pixels, but the photo is \(photo); their aspect ratios must be equal."
            case .outOfMemory:
                return "There is not enough memory for an image of this size."
            }
        }
    }

    private static let one = 1 << 16  // strength 1 in fixed point

    /// The strength times `one`.
    let strength: Int
    private let keepColors: Bool
    private let mask: Mask?

    init(strength: Double, keepColors: Bool, mask: CGImage?, invertMask: Bool, width: Int, height: Int) throws {
        guard (0...1).contains(strength) else { throw Failure.strength(strength) }
        self.strength = Int((strength * Double(Self.one)).rounded())
        self.keepColors = keepColors
        self.mask = try mask.map { try Mask($0, invert: invertMask, width: width, height: height) }
    }

    /// Whether `blend` leaves the stylized photo unchanged.
    var isIdentity: Bool { strength == Self.one && !keepColors && mask == nil }

    /// Blends `photo` into `stylized`: `count` pixels of straight RGBA, from column `left` of row `y` of the photo.
    ///
    /// The strength is applied first. Then `keepColors` combines the photo's colors with the luminance Y (YIQ) of the
    /// stylized photo, by adding the difference of the two luminances to red, green and blue (Gatys et al. 2016,
    /// "Preserving Color in Neural Artistic Style Transfer"). The mask is applied last.
    func blend(
        _ photo: UnsafePointer<UInt8>, into stylized: UnsafeMutablePointer<UInt8>, y: Int, left: Int, count: Int
    ) {
        let (one, weights) = (Self.one, mask?.row(y, left, count))
        for i in stride(from: 0, to: count * 4, by: 4) {
            for c in i..<i + 3 {
                stylized[c] = UInt8((Int(stylized[c]) * strength + Int(photo[c]) * (one - strength) + one / 2) >> 16)
            }
            if keepColors {
                let change = luminance(stylized + i) - luminance(photo + i)
                for c in i..<i + 3 {
                    stylized[c] = UInt8((min(max(Int(photo[c]) * 1000 + change, 0), 255_000) + 500) / 1000)
                }
            }
            if let weights {
                let weight = weights[i / 4]
                for c in i..<i + 3 {
                    stylized[c] = UInt8((Int(stylized[c]) * weight + Int(photo[c]) * (255 - weight) + 127) / 255)
                }
            }
        }
    }

    /// A grayscale image, resized to the photo bilinearly.
    private struct Mask {
        private let weights: [UInt8]
        private let maskWidth: Int
        private let maskHeight: Int
        private let width: Int
        private let height: Int

        init(_ mask: CGImage, invert: Bool, width: Int, height: Int) throws {
            (maskWidth, maskHeight) = (mask.width, mask.height)
            (self.width, self.height) = (width, height)
            guard abs(maskWidth * height - maskHeight * width) <= max(width, height) else {
                throw Failure.mask("\(maskWidth)x\(maskHeight)", photo: "\(width)x\(height)")
            }
            // Premultiplied, so transparent areas are black and are not stylized.
            var rgba = [UInt8](repeating: 0, count: maskWidth * maskHeight * 4)
            let isDrawn = rgba.withUnsafeMutableBytes { bytes -> Bool in
                let context = CGContext(
                    data: bytes.baseAddress, width: mask.width, height: mask.height, bitsPerComponent: 8,
                    bytesPerRow: mask.width * 4, space: CGColorSpace(name: CGColorSpace.sRGB)!,
                    bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
                context?.draw(mask, in: CGRect(x: 0, y: 0, width: mask.width, height: mask.height))
                return context != nil
            }
            guard isDrawn else { throw Failure.outOfMemory }
            weights = rgba.withUnsafeBufferPointer { pixels in
                stride(from: 0, to: pixels.count, by: 4).map { (i: Int) -> UInt8 in
                    let weight = UInt8((luminance(pixels.baseAddress! + i) + 500) / 1000)
                    return invert ? 255 - weight : weight
                }
            }
        }

        /// Returns the style's weights, 0 to 255, for `count` pixels from column `left` of row `y` of the photo.
        func row(_ y: Int, _ left: Int, _ count: Int) -> [Int] {
            let row = maskPosition(y, height, maskHeight)
            let above = (row >> 8) * maskWidth
            let below = min((row >> 8) + 1, maskHeight - 1) * maskWidth
            let down = row & 255
            return (0..<count).map { x in
                let column = maskPosition(left + x, width, maskWidth)
                let right = column & 255
                let here = column >> 8
                let next = min(here + 1, maskWidth - 1)
                let upper = Int(weights[above + here]) * (256 - right) + Int(weights[above + next]) * right
                let lower = Int(weights[below + here]) * (256 - right) + Int(weights[below + next]) * right
                return (upper * (256 - down) + lower * down + (1 << 15)) >> 16
            }
        }

        /// Maps the center of pixel `index` of the photo to the pixel centers of the mask, in 1/256 px.
        private func maskPosition(_ index: Int, _ length: Int, _ maskLength: Int) -> Int {
            min(max((2 * index + 1) * maskLength - length, 0), 2 * length * (maskLength - 1)) * 128 / length
        }
    }
}

/// Luma Y of ITU-R BT.601, times 1000.
private func luminance(_ rgba: UnsafePointer<UInt8>) -> Int {
    299 * Int(rgba[0]) + 587 * Int(rgba[1]) + 114 * Int(rgba[2])
}
