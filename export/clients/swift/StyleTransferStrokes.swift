// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import Foundation

/// Reduces a photo to the size at which the network runs, and brings the stylized copy to the photo's size with the
/// photo's detail restored, as `impasto-stylize` does.
///
/// The detail is what the small copy lacks of the photo's luminance. It is added with a gain, the coefficient a of the
/// guided filter (He et al. 2013, eq. 5), which is how strongly the stylized copy follows the photo.
///
/// Rows are passed from the top. Pixels are straight RGBA; alpha is not used.
final class StyleTransferStrokes {
    private static let radius = 4  // px of the small copy: about the width of a stroke
    private static let smooth: Float = 100  // squared levels of variance: below it the photo counts as smooth

    /// Writes row `y` of the photo as straight RGBA; throws to end the work.
    typealias ReadRow = (_ y: Int, _ row: UnsafeMutablePointer<UInt8>) throws -> Void

    private let width: Int
    private let gains: Enlarger
    private let planes: Enlarger

    /// - Parameters:
    ///   - stylized: the network's output for `small`: RGBA.
    ///   - small: the reduced photo: RGBA.
    ///   - smallWidth, smallHeight: the size of both.
    ///   - width, height: the size of the photo.
    init(stylized: [UInt8], small: [UInt8], smallWidth: Int, smallHeight: Int, width: Int, height: Int) {
        let plane = Plane(width: smallWidth, height: smallHeight)
        let light = StyleTransferStrokes.luminance(stylized)
        let smallLight = StyleTransferStrokes.luminance(small)
        let size = (smallWidth, smallHeight, width, height)
        self.width = width
        gains = Enlarger([plane.gain(light, smallLight)], size, radius: 1, StyleTransferStrokes.triangle)
        // Enlarging would make pixel-scale grids and color fringes visible.
        let amount = min(1, max(0, Float(height) / Float(smallHeight) - 1))
        let softLight = plane.blurred(light, amount / 8)
        let colors = (0..<3).map { c -> [Float] in
            let chroma = light.indices.map { Float(stylized[4 * $0 + c]) - light[$0] }
            let soft = plane.blurred(plane.blurred(chroma, amount / 4), amount / 4)
            return soft.indices.map { soft[$0] + softLight[$0] }
        }
        planes = Enlarger(colors + [smallLight], size, radius: 2, StyleTransferStrokes.cubic)
    }

    /// Reduces a photo to the short side `resolution`, and stylizes the copy with `run`.
    convenience init(
        width: Int, height: Int, resolution: Int, readRow: ReadRow,
        run: (_ small: [UInt8], _ width: Int, _ height: Int) throws -> [UInt8]
    ) throws {
        let scale = Double(resolution) / Double(min(width, height))
        let (smallWidth, smallHeight) = (
            Int((Double(width) * scale).rounded(.toNearestOrEven)),
            Int((Double(height) * scale).rounded(.toNearestOrEven))
        )
        let small = try StyleTransferStrokes.reduced(
            width: width, height: height, toWidth: smallWidth, height: smallHeight, readRow: readRow)
        self.init(
            stylized: try run(small, smallWidth, smallHeight), small: small, smallWidth: smallWidth,
            smallHeight: smallHeight, width: width, height: height)
    }

    /// Calls `body` with each row of the photo and of the result, from the top.
    func forEachRow(
        height: Int, readRow: ReadRow,
        _ body: (_ y: Int, _ photo: UnsafeMutablePointer<UInt8>, _ result: UnsafeMutablePointer<UInt8>) -> Void
    ) throws {
        var (photo, result) = ([UInt8](repeating: 0, count: width * 4), [UInt8](repeating: 0, count: width * 4))
        try photo.withUnsafeMutableBufferPointer { photo in
            try result.withUnsafeMutableBufferPointer { result in
                for y in 0..<height {
                    try readRow(y, photo.baseAddress!)
                    nextRow(photo.baseAddress!, into: result.baseAddress!)
                    body(y, photo.baseAddress!, result.baseAddress!)
                }
            }
        }
    }

    /// Writes the next row of the result, of which `photo` is the photo's row; alpha is not written.
    func nextRow(_ photo: UnsafePointer<UInt8>, into result: UnsafeMutablePointer<UInt8>) {
        let gain = gains.nextRow()[0]
        let planes = self.planes.nextRow()
        for x in 0..<width {
            let detail = gain[x] * (Self.luminance(photo + 4 * x) - planes[3][x])
            for c in 0..<3 { result[4 * x + c] = Self.byte(planes[c][x] + detail) }
        }
    }

    /// Reduces a photo with an antialiased Lanczos filter to opaque RGBA; `readRow` writes a row of the photo as RGBA.
    private static func reduced(
        width: Int, height: Int, toWidth smallWidth: Int, height smallHeight: Int, readRow: ReadRow
    ) throws -> [UInt8] {
        let columns = FilterTaps(width, smallWidth, radius: 3, lanczos)
        let rows = FilterTaps(height, smallHeight, radius: 3, lanczos)
        var narrow = [UInt8](repeating: 0, count: smallWidth * height * 3)
        var line = [UInt8](repeating: 0, count: width * 4)
        for y in 0..<height {
            try line.withUnsafeMutableBufferPointer { try readRow(y, $0.baseAddress!) }
            for x in 0..<smallWidth {
                let (first, weights) = (columns.first[x], columns.weights[x])
                for c in 0..<3 {
                    var sum: Float = 0
                    for tap in weights.indices { sum += weights[tap] * Float(line[4 * (first + tap) + c]) }
                    narrow[(y * smallWidth + x) * 3 + c] = byte(sum)
                }
            }
        }
        var reduced = [UInt8](repeating: 255, count: smallWidth * smallHeight * 4)
        for y in 0..<smallHeight {
            var sums = [Float](repeating: 0, count: smallWidth * 3)
            for (tap, weight) in rows.weights[y].enumerated() {
                let start = (rows.first[y] + tap) * sums.count
                for k in sums.indices { sums[k] += weight * Float(narrow[start + k]) }
            }
            for k in sums.indices { reduced[(y * smallWidth + k / 3) * 4 + k % 3] = byte(sums[k]) }
        }
        return reduced
    }

    private static func byte(_ value: Float) -> UInt8 { UInt8(min(max(value, 0), 255).rounded()) }

    /// Luma Y of ITU-R BT.601.
    private static func luminance(_ rgba: UnsafePointer<UInt8>) -> Float {
        0.299 * Float(rgba[0]) + 0.587 * Float(rgba[1]) + 0.114 * Float(rgba[2])
    }

    private static func luminance(_ pixels: [UInt8]) -> [Float] {
        pixels.withUnsafeBufferPointer { pixels in
            (0..<pixels.count / 4).map { luminance(pixels.baseAddress! + 4 * $0) }
        }
    }

    // MARK: Filters

    private static func triangle(_ x: Double) -> Double { max(0, 1 - abs(x)) }

    /// Keys' cubic convolution with a = -0.5, as in Pillow.
    private static func cubic(_ x: Double) -> Double {
        let t = abs(x)
        if t < 1 { return (1.5 * t - 2.5) * t * t + 1 }
        return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0
    }

    private static func lanczos(_ x: Double) -> Double { abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0 }

    private static func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(Double.pi * x) / (Double.pi * x) }

    /// The taps of `size` output pixels: for each, the `first` of `length` input pixels, and the `weights`.
    private struct FilterTaps {
        let first: [Int]
        let weights: [[Float]]

        init(_ length: Int, _ size: Int, radius: Double, _ filter: (Double) -> Double) {
            let step = Double(length) / Double(size)
            let stretch = max(step, 1)
            let first = (0..<size).map { max(0, Int((Double($0) + 0.5) * step - radius * stretch + 0.5)) }
            self.first = first
            weights = (0..<size).map { i -> [Float] in
                let center = (Double(i) + 0.5) * step
                let end = min(length, Int(center + radius * stretch + 0.5))
                let values = (first[i]..<end).map { filter((Double($0) + 0.5 - center) / stretch) }
                let sum = values.reduce(0, +)
                return values.map { Float($0 / sum) }
            }
        }
    }

    /// Enlarges planes of the small copy to the photo's size, row by row from the top.
    private final class Enlarger {
        private let planes: [[Float]]
        private let smallWidth: Int
        private let columns: FilterTaps
        private let rows: FilterTaps
        private var wide: [[[Float]]]  // for each plane a ring of its last rows
        private var output: [[Float]]
        private var ready = 0  // rows of the small copy that were enlarged
        private var y = 0

        init(
            _ planes: [[Float]], _ size: (smallWidth: Int, smallHeight: Int, width: Int, height: Int),
            radius: Double, _ filter: (Double) -> Double
        ) {
            self.planes = planes
            smallWidth = size.smallWidth
            columns = FilterTaps(size.smallWidth, size.width, radius: radius, filter)
            rows = FilterTaps(size.smallHeight, size.height, radius: radius, filter)
            let empty = [Float](repeating: 0, count: size.width)
            let ring = rows.weights.map(\.count).max() ?? 1
            wide = [[[Float]]](repeating: [[Float]](repeating: empty, count: ring), count: planes.count)
            output = [[Float]](repeating: empty, count: planes.count)
        }

        /// Returns the next row of each plane.
        func nextRow() -> [[Float]] {
            let (first, weights) = (rows.first[y], rows.weights[y])
            while ready < first + weights.count {
                enlargeRow(ready)
                ready += 1
            }
            for plane in planes.indices {
                for x in output[plane].indices {
                    var sum: Float = 0
                    for tap in weights.indices {
                        sum += weights[tap] * wide[plane][(first + tap) % wide[plane].count][x]
                    }
                    output[plane][x] = sum
                }
            }
            y += 1
            return output
        }

        private func enlargeRow(_ row: Int) {
            for plane in planes.indices {
                let slot = row % wide[plane].count
                for x in output[plane].indices {
                    let (first, weights) = (row * smallWidth + columns.first[x], columns.weights[x])
                    var sum: Float = 0
                    for tap in weights.indices { sum += weights[tap] * planes[plane][first + tap] }
                    wide[plane][slot][x] = sum
                }
            }
        }
    }

    /// Filters of planes of the small copy.
    private struct Plane {
        let width: Int
        let height: Int

        /// Returns the guided filter's coefficient a of two luminances, clipped to -1..1 and averaged.
        func gain(_ stylized: [Float], _ guide: [Float]) -> [Float] {
            let (guideMean, stylizedMean) = (boxMean(guide), boxMean(stylized))
            let squares = boxMean(guide.map { $0 * $0 })
            let products = boxMean(zip(guide, stylized).map { $0 * $1 })
            let gains = guide.indices.map { i -> Float in
                let variance = squares[i] - guideMean[i] * guideMean[i]
                let covariance = products[i] - guideMean[i] * stylizedMean[i]
                return min(max(covariance / (variance + StyleTransferStrokes.smooth), -1), 1)
            }
            return boxMean(gains)
        }

        /// Convolves with `weight`, 1 - 2 `weight`, `weight` along both axes; the edges are replicated.
        func blurred(_ values: [Float], _ weight: Float) -> [Float] {
            alongBothAxes(values) { line, i in
                let neighbors = line[max(i - 1, 0)] + line[min(i + 1, line.count - 1)]
                return line[i] * (1 - 2 * weight) + neighbors * weight
            }
        }

        /// Returns the mean over a square of 2 `radius` + 1 px around each pixel, clipped to the image at its border.
        private func boxMean(_ values: [Float]) -> [Float] {
            alongBothAxes(values) { line, i in
                let first = max(i - StyleTransferStrokes.radius, 0)
                let last = min(i + StyleTransferStrokes.radius, line.count - 1)
                var sum: Float = 0
                for j in first...last { sum += line[j] }
                return sum / Float(last - first + 1)
            }
        }

        /// Filters the columns of a plane, and then its rows.
        private func alongBothAxes(_ values: [Float], _ filter: (_ line: [Float], _ i: Int) -> Float) -> [Float] {
            var result = values
            for (length, stride) in [(height, width), (width, 1)] {
                var line = [Float](repeating: 0, count: length)
                for number in 0..<values.count / length {
                    let start = stride == 1 ? number * length : number
                    for i in 0..<length { line[i] = result[start + i * stride] }
                    for i in 0..<length { result[start + i * stride] = filter(line, i) }
                }
            }
            return result
        }
    }
}
