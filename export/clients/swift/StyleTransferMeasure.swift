#if canImport(OnnxRuntimeBindings)
import Foundation

/// Estimates the statistics of a large photo from a small copy and pieces of full size, as `impasto-stylize` does
/// with `tiles.statistics=thumbnail`.
///
/// The copy shows the whole photo at the wrong scale; the pieces show parts at the right scale. So the statistics of
/// the copy are corrected by the difference between those of the pieces and of the same pieces downscaled.
struct StyleTransferMeasure {
    private static let leastSide = 16
    private static let piece = 128  // pixels a side, and no less than `small` once made small
    private static let small = 32
    private static let few = 16
    private static let golden = 40503  // of 65536: multiples of the golden ratio lie evenly, however many (Knuth, 6.4)
    private static let epsilon: Float = 1e-5  // of the norms
    private static let most: Float = 10  // times that a variance is changed

    /// Returns means, then variances, of RGBA bytes of a width and a height.
    typealias Statistics = (_ bytes: NSMutableData, _ width: Int, _ height: Int) throws -> [Float]

    /// Writes the straight RGBA bytes of the photo's pixel at a column and a row.
    typealias Read = (_ x: Int, _ y: Int, _ to: UnsafeMutablePointer<UInt8>) -> Void

    private let width: Int
    private let height: Int
    private let scale: Double
    private let read: Read
    private let pieces: Pieces

    /// - Parameter pixels: the approximate maximum number of pixels of the copy, and of all pieces together.
    init(width: Int, height: Int, pixels: Int, read: @escaping Read) {
        let least = Double(Self.leastSide) / Double(min(width, height))
        scale = min(1, max((Double(pixels) / (Double(width) * Double(height))).squareRoot(), least))
        (self.width, self.height, self.read) = (width, height, read)
        pieces = Pieces(photoWidth: width, photoHeight: height, pixels: pixels, scale: scale)
    }

    func measure(_ statistics: Statistics) throws -> [Float] {
        let copy = try reduced(width, height, scale, read, statistics)
        if scale == 1 || pieces.rows * pieces.columns < Self.few { return copy }
        let inPieces: Read = { x, y, to in pieces.mixed(x, y, to, read) }
        let sharp = try reduced(pieces.width, pieces.height, 1, inPieces, statistics)
        let small = try reduced(pieces.width, pieces.height, scale, inPieces, statistics)
        let half = copy.count / 2
        return copy.indices.map { i in
            if i < half { return copy[i] + sharp[i] - small[i] }
            return copy[i] * min(max((sharp[i] + Self.epsilon) / (small[i] + Self.epsilon), 1 / Self.most), Self.most)
        }
    }

    /// The statistics of an opaque image at another scale: each pixel is a weighted mean of the pixels around it.
    private func reduced(
        _ width: Int, _ height: Int, _ scale: Double, _ read: Read, _ statistics: Statistics
    ) throws -> [Float] {
        let columns = Taps(width, Int(Double(width) * scale + 0.5))
        let rows = Taps(height, Int(Double(height) * scale + 0.5))
        let bytes = NSMutableData(length: columns.size * rows.size * 4)!
        var to = bytes.mutableBytes.assumingMemoryBound(to: UInt8.self)
        var pixel: [UInt8] = [0, 0, 0, 0]
        for y in 0..<rows.size {
            var sums = [Float](repeating: 0, count: width * 3)
            for (number, weight) in rows.weights[y].enumerated() {
                for x in 0..<width {
                    pixel.withUnsafeMutableBufferPointer { read(x, rows.first[y] + number, $0.baseAddress!) }
                    for c in 0..<3 { sums[3 * x + c] += weight * Float(pixel[c]) }
                }
            }
            for x in 0..<columns.size {
                for c in 0..<3 {
                    var sum: Float = 0.5
                    for (number, weight) in columns.weights[x].enumerated() {
                        sum += weight * sums[3 * (columns.first[x] + number) + c]
                    }
                    to[c] = UInt8(min(255, sum))
                }
                to[3] = 255
                to += 4
            }
        }
        return try statistics(bytes, columns.size, rows.size)
    }

    /// For each of `size` output positions: the first of its `length` input positions, and the weights.
    private struct Taps {
        let size: Int
        let first: [Int]
        let weights: [[Float]]

        init(_ length: Int, _ size: Int) {
            let step = Double(length) / Double(size)
            let first = (0..<size).map { max(0, Int((Double($0) + 0.5) * step - step + 0.5)) }
            self.size = size
            self.first = first
            weights = (0..<size).map { at -> [Float] in
                let middle = (Double(at) + 0.5) * step
                let end = min(length, Int(middle + step + 0.5))
                let found = (first[at]..<end).map { max(0, 1 - abs((Double($0) + 0.5 - middle) / step)) }
                let whole = found.reduce(0, +)
                return found.map { Float($0 / whole) }
            }
        }
    }

    /// Pieces from all over the photo, side by side. They are cross-faded: edges between them would count as edges
    /// of the photo.
    private struct Pieces {
        let columns: Int
        let rows: Int
        var width: Int { columns * across }
        var height: Int { rows * down }
        private let photoWidth: Int
        private let photoHeight: Int
        private let across: Int
        private let down: Int
        private let reach: Int

        init(photoWidth: Int, photoHeight: Int, pixels: Int, scale: Double) {
            let side = max(StyleTransferMeasure.piece, Int((Double(StyleTransferMeasure.small) / scale).rounded(.up)))
            let part = min(1, (Double(pixels) / (Double(photoWidth) * Double(photoHeight))).squareRoot())
            reach = side / 4
            across = min(side, photoWidth)
            down = min(side, photoHeight)
            columns = max(1, Int(Double(photoWidth) * part / Double(side)))
            rows = max(1, Int(Double(photoHeight) * part / Double(side)))
            (self.photoWidth, self.photoHeight) = (photoWidth, photoHeight)
        }

        /// Reads one pixel: a mix of up to four pieces, from the straight bytes of the photo that `read` writes.
        func mixed(_ x: Int, _ y: Int, _ to: UnsafeMutablePointer<UInt8>, _ read: Read) {
            var sums = (0, 0, 0)
            for row in max(0, y / down - 1)...min(rows - 1, y / down + 1) {
                let vertical = weight(y, row, rows, down)
                if vertical <= 0 { continue }
                for column in max(0, x / across - 1)...min(columns - 1, x / across + 1) {
                    let share = vertical * self.weight(x, column, columns, across)
                    if share <= 0 { continue }
                    // Each lies in its own cell, but not aligned with its neighbors, as objects in photos often are.
                    let top = row * photoHeight / rows + within(photoHeight / rows - down, column) - row * down
                    let left = column * photoWidth / columns + within(photoWidth / columns - across, row) - column * across
                    read(min(max(left + x, 0), photoWidth - 1), min(max(top + y, 0), photoHeight - 1), to)
                    sums.0 += share * Int(to[0])
                    sums.1 += share * Int(to[1])
                    sums.2 += share * Int(to[2])
                }
            }
            let whole = 16 * reach * reach
            to[0] = UInt8((sums.0 + whole / 2) / whole)
            to[1] = UInt8((sums.1 + whole / 2) / whole)
            to[2] = UInt8((sums.2 + whole / 2) / whole)
        }

        /// The weight, of 4 * reach, of piece `number` of `count` at a position; all weights there add up to it.
        private func weight(_ at: Int, _ number: Int, _ count: Int, _ side: Int) -> Int {
            var found = 4 * reach
            if number > 0 { found = min(found, 2 * (at - number * side + reach) + 1) }
            if number < count - 1 { found = min(found, 2 * ((number + 1) * side + reach - at) - 1) }
            return found
        }

        private func within(_ room: Int, _ number: Int) -> Int {
            (room * ((number * StyleTransferMeasure.golden + (1 << 15)) & 65535)) >> 16
        }
    }
}
#endif
