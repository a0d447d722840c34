// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreImage
import CoreVideo
import Foundation
import ImageIO

/// Stylizes the frames of a camera or a video with less flicker.
///
/// Where a frame shows what the previous one showed, the previous result is mixed in, as `impasto-stylize` does with
/// `temporal_smoothing`. Here motion is not followed: what moves is not mixed. The photo's detail is not restored.
///
/// Pass the frames in their order, and await each: drop frames of a camera meanwhile.
@available(iOS 16.0, macOS 13.0, *)
public final class StyleTransferFrames: @unchecked Sendable {
    private static let block = 8  // px: the confidence is computed for blocks
    private static let noise: Float = 12  // levels: frames that differ by more show different things

    private let style: StyleTransfer
    private let strength: Double
    private let keepColors: Bool
    private let amount: Float
    private var previous: CVPixelBuffer?
    private var blocks: [UInt8] = []

    /// - Parameters:
    ///   - style: is not closed with this object.
    ///   - strength, keepColors: as for `StyleTransfer.stylize`.
    ///   - temporalSmoothing: how much of the previous result is mixed in, from 0 to 0.95.
    public init(
        _ style: StyleTransfer, strength: Double = 1, keepColors: Bool = false, temporalSmoothing: Double = 0.7
    ) {
        precondition((0...0.95).contains(temporalSmoothing), "temporalSmoothing must be from 0 to 0.95")
        self.style = style
        self.strength = strength
        self.keepColors = keepColors
        amount = Float(temporalSmoothing)
    }

    /// Returns the stylized frame as 32BGRA, upright. The buffer returns to a pool once nobody retains it.
    public func stylize(
        _ frame: CVPixelBuffer, orientation: CGImagePropertyOrientation = .up
    ) async throws -> CVPixelBuffer {
        let image = CIImage(cvPixelBuffer: frame).oriented(orientation)
        return try await withCheckedThrowingContinuation { continuation in
            stylize(image) { continuation.resume(with: $0) }
        }
    }

    /// Forgets the previous frame, for example where the camera changes.
    public func reset() {
        style.onQueue { [self] _, _ in previous = nil }
    }

    /// Calls `completion` with the stylized image; images are processed in the order of the calls.
    func stylize(_ image: CIImage, completion: @escaping (Result<CVPixelBuffer, Error>) -> Void) {
        style.onQueue { [self] renderer, stylize in
            completion(
                Result {
                    let extent = image.extent
                    let photo = image.transformed(by: CGAffineTransform(translationX: -extent.minX, y: -extent.minY))
                    return try filtered(photo, try stylize(photo, strength, keepColors), renderer)
                })
        }
    }

    private func filtered(
        _ photo: CIImage, _ stylized: CIImage, _ renderer: StyleTransferRenderer
    ) throws -> CVPixelBuffer {
        let (width, height) = (Int(photo.extent.width), Int(photo.extent.height))
        let current = try blockColors(photo, renderer)
        var result = stylized
        if amount > 0, let previous, current.count == blocks.count, CVPixelBufferGetWidth(previous) == width {
            let before = CIImage(cvPixelBuffer: previous, options: [.colorSpace: renderer.colors])
            result = before.applyingFilter(
                "CIBlendWithMask",
                parameters: [
                    kCIInputBackgroundImageKey: stylized, kCIInputMaskImageKey: weights(current, photo.extent),
                ])
        }
        let buffer = try renderer.rendered(
            result.cropped(to: photo.extent), width: width, height: height, format: kCVPixelFormatType_32BGRA)
        (previous, blocks) = (buffer, current)
        return buffer
    }

    private func gridSize(_ extent: CGRect) -> (columns: Int, rows: Int) {
        ((Int(extent.width) + Self.block - 1) / Self.block, (Int(extent.height) + Self.block - 1) / Self.block)
    }

    /// Returns the mean colors of the blocks of a frame, as RGBA.
    private func blockColors(_ photo: CIImage, _ renderer: StyleTransferRenderer) throws -> [UInt8] {
        let (columns, rows) = gridSize(photo.extent)
        return renderer.bytes(renderer.resized(photo, to: CGSize(width: columns, height: rows)), columns, rows)
    }

    /// Returns an image of how much of the previous result is mixed in. A block takes the largest change of its
    /// neighborhood, so that nothing trails what moves.
    private func weights(_ current: [UInt8], _ extent: CGRect) -> CIImage {
        let (columns, rows) = gridSize(extent)
        let changes = (0..<columns * rows).map { i -> Float in
            let sum = (0..<3).reduce(0) { $0 + abs(Int(current[4 * i + $1]) - Int(blocks[4 * i + $1])) }
            return Float(sum) / 3 / Self.noise
        }
        var weights = Data(count: columns * rows)
        for row in 0..<rows {
            for column in 0..<columns {
                var largest: Float = 0
                for y in max(0, row - 1)...min(rows - 1, row + 1) {
                    for x in max(0, column - 1)...min(columns - 1, column + 1) {
                        largest = max(largest, changes[y * columns + x])
                    }
                }
                weights[row * columns + column] = UInt8((255 * amount * exp(-largest * largest)).rounded())
            }
        }
        let grid = CIImage(
            bitmapData: weights, bytesPerRow: columns, size: CGSize(width: columns, height: rows), format: .L8,
            colorSpace: nil)
        let scale = CGAffineTransform(
            scaleX: extent.width / CGFloat(columns), y: extent.height / CGFloat(rows))
        return grid.clampedToExtent().transformed(by: scale).cropped(to: extent)
    }
}
