import CoreGraphics
import Foundation

/// Applies strength, colors and mask to a stylized photo, row by row, in the order of `impasto-stylize`.
public struct StyleTransferControls {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case strength(Double)
        case mask(String, photo: String)
        case noMemory

        public var errorDescription: String? {
            switch self {
            case .strength(let value):
                return "strength is \(value); it must be from 0 to 1."
            case .mask(let mask, let photo):
                return "The mask is \(mask) pixels, which is another shape than the photo's \(photo)."
            case .noMemory:
                return "There is not enough memory for a picture of this size."
            }
        }
    }

    private static let one = 1 << 16  // strength 1 as an integer

    /// The strength, of `one`.
    let weight: Int
    private let keepColors: Bool
    private let mask: Mask?

    init(strength: Double, keepColors: Bool, mask: CGImage?, invertMask: Bool, width: Int, height: Int) throws {
        guard (0...1).contains(strength) else { throw Failure.strength(strength) }
        weight = Int((strength * Double(Self.one)).rounded())
        self.keepColors = keepColors
        self.mask = try mask.map { try Mask($0, invert: invertMask, width: width, height: height) }
    }

    /// Whether the stylized photo stays unchanged.
    var isPlain: Bool { weight == Self.one && !keepColors && mask == nil }

    /// Mixes `photo` into `painted`: `count` straight RGBA pixels, starting at column `left` of row `y` of the photo.
    ///
    /// First by strength; then the photo's colors with the other's luminance Y of YIQ (Gatys et al. 2016, "Preserving
    /// Color in Neural Artistic Style Transfer"), which adds the same difference to red, green and blue; then by the mask.
    func mix(
        _ photo: UnsafePointer<UInt8>, into painted: UnsafeMutablePointer<UInt8>, y: Int, left: Int, count: Int
    ) {
        let (one, parts) = (Self.one, mask?.row(y, left, count))
        for i in stride(from: 0, to: count * 4, by: 4) {
            for c in i..<i + 3 {
                painted[c] = UInt8((Int(painted[c]) * weight + Int(photo[c]) * (one - weight) + one / 2) >> 16)
            }
            if keepColors {
                let change = luminance(painted + i) - luminance(photo + i)
                for c in i..<i + 3 {
                    painted[c] = UInt8((min(max(Int(photo[c]) * 1000 + change, 0), 255_000) + 500) / 1000)
                }
            }
            if let parts {
                let part = parts[i / 4]
                for c in i..<i + 3 {
                    painted[c] = UInt8((Int(painted[c]) * part + Int(photo[c]) * (255 - part) + 127) / 255)
                }
            }
        }
    }

    /// A gray image scaled to the photo: how strongly each pixel is stylized, 0 to 255.
    private struct Mask {
        private let parts: [UInt8]
        private let across: Int
        private let down: Int
        private let width: Int
        private let height: Int

        init(_ mask: CGImage, invert: Bool, width: Int, height: Int) throws {
            (across, down) = (mask.width, mask.height)
            (self.width, self.height) = (width, height)
            guard abs(across * height - down * width) <= max(width, height) else {
                throw Failure.mask("\(across)x\(down)", photo: "\(width)x\(height)")
            }
            // Colors are premultiplied by alpha: transparent parts are not stylized.
            var rgba = [UInt8](repeating: 0, count: across * down * 4)
            let isDrawn = rgba.withUnsafeMutableBytes { bytes -> Bool in
                let context = CGContext(
                    data: bytes.baseAddress, width: mask.width, height: mask.height, bitsPerComponent: 8,
                    bytesPerRow: mask.width * 4, space: CGColorSpace(name: CGColorSpace.sRGB)!,
                    bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
                context?.draw(mask, in: CGRect(x: 0, y: 0, width: mask.width, height: mask.height))
                return context != nil
            }
            guard isDrawn else { throw Failure.noMemory }
            parts = rgba.withUnsafeBufferPointer { pixels in
                stride(from: 0, to: pixels.count, by: 4).map { (i: Int) -> UInt8 in
                    let part = UInt8((luminance(pixels.baseAddress! + i) + 500) / 1000)
                    return invert ? 255 - part : part
                }
            }
        }

        /// How strongly `count` pixels, starting at column `left` of row `y` of the photo, are stylized, 0 to 255.
        func row(_ y: Int, _ left: Int, _ count: Int) -> [Int] {
            let row = place(y, height, down)
            let above = (row >> 8) * across
            let below = min((row >> 8) + 1, down - 1) * across
            let low = row & 255
            return (0..<count).map { x in
                let column = place(left + x, width, across)
                let right = column & 255
                let here = column >> 8
                let next = min(here + 1, across - 1)
                let upper = Int(parts[above + here]) * (256 - right) + Int(parts[above + next]) * right
                let lower = Int(parts[below + here]) * (256 - right) + Int(parts[below + next]) * right
                return (upper * (256 - low) + lower * low + (1 << 15)) >> 16
            }
        }

        /// The position of a photo's pixel center between those of the mask, in 256ths of a pixel.
        private func place(_ at: Int, _ length: Int, _ size: Int) -> Int {
            min(max((2 * at + 1) * size - length, 0), 2 * length * (size - 1)) * 128 / length
        }
    }
}

/// Y of ITU-R BT.601, times 1000.
private func luminance(_ rgba: UnsafePointer<UInt8>) -> Int {
    299 * Int(rgba[0]) + 587 * Int(rgba[1]) + 114 * Int(rgba[2])
}
