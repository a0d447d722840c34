// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

#if canImport(OnnxRuntimeBindings)
import Foundation

/// Estimates the instance-norm statistics of a large photo, as `impasto-stylize` does with
/// `tiles.statistics=thumbnail`.
///
/// A thumbnail shows the whole photo at the wrong scale; patches of the photo show parts of it at the right scale. The
/// statistics of the thumbnail are corrected by the difference between those of the patches and of the same patches
/// downscaled (a control variate).
struct StyleTransferStatistics {
    private static let minSide = 16
    private static let patchSide = 128  // px; larger where a downscaled patch would be smaller than `minDownscaledSide`
    private static let minDownscaledSide = 32  // px
    private static let minPatches = 16
    private static let goldenRatio = 40503  // times 65536; its multiples modulo 1 are evenly spread (Knuth, TAOCP 6.4)
    private static let epsilon: Float = 1e-5  // of the network's instance norms
    private static let maxVarianceRatio: Float = 10

    /// Returns the means, then the variances, of an RGBA image of the given width and height.
    typealias Measure = (_ bytes: NSMutableData, _ width: Int, _ height: Int) throws -> [Float]

    /// Writes the straight RGBA of the pixel at a column and a row.
    typealias ReadPixel = (_ x: Int, _ y: Int, _ rgba: UnsafeMutablePointer<UInt8>) -> Void

    private let width: Int
    private let height: Int
    private let scale: Double
    private let readPixel: ReadPixel
    private let cancellation: StyleTransferCancellation
    private let patches: Patches

    /// - Parameter pixels: the approximate maximum number of pixels of the thumbnail, and of all patches together.
    init(
        width: Int, height: Int, pixels: Int, _ cancellation: StyleTransferCancellation,
        readPixel: @escaping ReadPixel
    ) {
        let minScale = Double(Self.minSide) / Double(min(width, height))
        scale = min(1, max((Double(pixels) / (Double(width) * Double(height))).squareRoot(), minScale))
        (self.width, self.height, self.readPixel) = (width, height, readPixel)
        self.cancellation = cancellation
        patches = Patches(photoWidth: width, photoHeight: height, pixels: pixels, scale: scale)
    }

    /// Returns the means, then the variances.
    func estimate(_ measure: Measure) throws -> [Float] {
        let thumbnail = try statistics(width, height, scale, readPixel, measure)
        if scale == 1 || patches.rows * patches.columns < Self.minPatches { return thumbnail }
        let readPatches: ReadPixel = { x, y, rgba in patches.readPixel(x, y, rgba, readPixel) }
        let fullScale = try statistics(patches.width, patches.height, 1, readPatches, measure)
        let downscaled = try statistics(patches.width, patches.height, scale, readPatches, measure)
        let channels = thumbnail.count / 2
        let limit = Self.maxVarianceRatio
        return thumbnail.indices.map { i in
            if i < channels { return thumbnail[i] + fullScale[i] - downscaled[i] }
            let ratio = (fullScale[i] + Self.epsilon) / (downscaled[i] + Self.epsilon)
            return thumbnail[i] * min(max(ratio, 1 / limit), limit)
        }
    }

    /// Resizes an opaque image with a triangle filter, row by row, and returns the statistics of the result.
    private func statistics(
        _ width: Int, _ height: Int, _ scale: Double, _ readPixel: ReadPixel, _ measure: Measure
    ) throws -> [Float] {
        let columns = FilterTaps(width, Int(Double(width) * scale + 0.5))
        let rows = FilterTaps(height, Int(Double(height) * scale + 0.5))
        let resized = NSMutableData(length: columns.size * rows.size * 4)!
        var target = resized.mutableBytes.assumingMemoryBound(to: UInt8.self)
        var pixel: [UInt8] = [0, 0, 0, 0]
        for y in 0..<rows.size {
            try cancellation.check()
            var sums = [Float](repeating: 0, count: width * 3)
            for (tap, weight) in rows.weights[y].enumerated() {
                for x in 0..<width {
                    pixel.withUnsafeMutableBufferPointer { readPixel(x, rows.first[y] + tap, $0.baseAddress!) }
                    for c in 0..<3 { sums[3 * x + c] += weight * Float(pixel[c]) }
                }
            }
            for x in 0..<columns.size {
                for c in 0..<3 {
                    var sum: Float = 0.5
                    for (tap, weight) in columns.weights[x].enumerated() {
                        sum += weight * sums[3 * (columns.first[x] + tap) + c]
                    }
                    target[c] = UInt8(min(255, sum))
                }
                target[3] = 255
                target += 4
            }
        }
        return try measure(resized, columns.size, rows.size)
    }

    /// The filter taps of `size` output pixels: for each, the `first` of `length` input pixels, and the `weights`.
    private struct FilterTaps {
        let size: Int
        let first: [Int]
        let weights: [[Float]]

        init(_ length: Int, _ size: Int) {
            let step = Double(length) / Double(size)
            let first = (0..<size).map { max(0, Int((Double($0) + 0.5) * step - step + 0.5)) }
            self.size = size
            self.first = first
            weights = (0..<size).map { i -> [Float] in
                let center = (Double(i) + 0.5) * step
                let end = min(length, Int(center + step + 0.5))
                let triangle = (first[i]..<end).map { max(0, 1 - abs((Double($0) + 0.5 - center) / step)) }
                let sum = triangle.reduce(0, +)
                return triangle.map { Float($0 / sum) }
            }
        }
    }

    /// A mosaic of patches of the photo at full scale. They are cross-faded, because hard edges between them would
    /// affect the statistics.
    private struct Patches {
        let columns: Int
        let rows: Int
        var width: Int { columns * patchWidth }
        var height: Int { rows * patchHeight }
        private let photoWidth: Int
        private let photoHeight: Int
        private let patchWidth: Int
        private let patchHeight: Int
        private let fade: Int

        init(photoWidth: Int, photoHeight: Int, pixels: Int, scale: Double) {
            let minSide = Int((Double(StyleTransferStatistics.minDownscaledSide) / scale).rounded(.up))
            let side = max(StyleTransferStatistics.patchSide, minSide)
            let fraction = min(1, (Double(pixels) / (Double(photoWidth) * Double(photoHeight))).squareRoot())
            fade = side / 4
            patchWidth = min(side, photoWidth)
            patchHeight = min(side, photoHeight)
            columns = max(1, Int(Double(photoWidth) * fraction / Double(side)))
            rows = max(1, Int(Double(photoHeight) * fraction / Double(side)))
            (self.photoWidth, self.photoHeight) = (photoWidth, photoHeight)
        }

        /// Writes one pixel of the mosaic, which is blended from up to four pixels that `readPhoto` writes.
        func readPixel(_ x: Int, _ y: Int, _ rgba: UnsafeMutablePointer<UInt8>, _ readPhoto: ReadPixel) {
            var sums = (0, 0, 0)
            for row in max(0, y / patchHeight - 1)...min(rows - 1, y / patchHeight + 1) {
                let vertical = fadeWeight(y, row, rows, patchHeight)
                if vertical <= 0 { continue }
                for column in max(0, x / patchWidth - 1)...min(columns - 1, x / patchWidth + 1) {
                    let weight = vertical * fadeWeight(x, column, columns, patchWidth)
                    if weight <= 0 { continue }
                    // Patches are jittered in their cells, since objects in photos are often in line.
                    let cellTop = row * photoHeight / rows
                    let cellLeft = column * photoWidth / columns
                    let top = cellTop + jitter(photoHeight / rows - patchHeight, column) - row * patchHeight
                    let left = cellLeft + jitter(photoWidth / columns - patchWidth, row) - column * patchWidth
                    readPhoto(min(max(left + x, 0), photoWidth - 1), min(max(top + y, 0), photoHeight - 1), rgba)
                    sums.0 += weight * Int(rgba[0])
                    sums.1 += weight * Int(rgba[1])
                    sums.2 += weight * Int(rgba[2])
                }
            }
            let total = 16 * fade * fade
            rgba[0] = UInt8((sums.0 + total / 2) / total)
            rgba[1] = UInt8((sums.1 + total / 2) / total)
            rgba[2] = UInt8((sums.2 + total / 2) / total)
        }

        /// Returns the weight of patch `index` of `count`. All weights at a position add up to 4 * `fade`.
        private func fadeWeight(_ position: Int, _ index: Int, _ count: Int, _ length: Int) -> Int {
            var weight = 4 * fade
            if index > 0 { weight = min(weight, 2 * (position - index * length + fade) + 1) }
            if index < count - 1 { weight = min(weight, 2 * ((index + 1) * length + fade - position) - 1) }
            return weight
        }

        /// Returns the offset of a patch in its cell of the photo, at most `maximum` pixels.
        private func jitter(_ maximum: Int, _ index: Int) -> Int {
            (maximum * ((index * StyleTransferStatistics.goldenRatio + (1 << 15)) & 65535)) >> 16
        }
    }
}
#endif
