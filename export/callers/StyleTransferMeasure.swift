#if canImport(OnnxRuntimeBindings)
import Foundation

/// Measures a large photo from little of it: a small copy, put right by pieces of full size, as `impasto-stylize` does
/// with `tiles.statistics=thumbnail`.
///
/// The copy shows everything, but finer than it is; the pieces are as they are, but not everything. So the statistics of
/// the copy are moved by what those of the pieces differ from those of the same pieces made as small.
struct StyleTransferMeasure {
    private static let leastSide = 16
    private static let piece = 128  // pixels a side, and no less than `small` once made small
    private static let small = 32
    private static let few = 16
    private static let golden = 40503  // of 65536: multiples of the golden ratio lie evenly, however many (Knuth, 6.4)
    private static let epsilon: Float = 1e-5  // of the norms
    private static let most: Float = 10  // times that a variance is changed

    /// Gives means, then variances, of RGBA bytes of a width and a height.
    typealias Statistics = (_ bytes: NSMutableData, _ width: Int, _ height: Int) throws -> [Float]

    /// Writes the straight RGBA bytes of the photo's pixel at a column and a row.
    typealias Read = (_ x: Int, _ y: Int, _ to: UnsafeMutablePointer<UInt8>) -> Void

    private let width: Int
    private let height: Int
    private let step: Int
    private let read: Read
    private let pieces: Pieces

    /// - Parameter pixels: of the copy, and of all pieces together, at most about so many.
    init(width: Int, height: Int, pixels: Int, read: @escaping Read) {
        let times = (Double(width) * Double(height) / Double(pixels)).squareRoot().rounded(.up)
        step = min(max(1, Int(times)), min(width, height) / Self.leastSide)
        (self.width, self.height, self.read) = (width, height, read)
        pieces = Pieces(photoWidth: width, photoHeight: height, pixels: pixels, step: step)
    }

    func measure(_ statistics: Statistics) throws -> [Float] {
        let copy = try reduced(width, height, step, read, statistics)
        if step == 1 || pieces.rows * pieces.columns < Self.few { return copy }
        let inPieces: Read = { x, y, to in pieces.mixed(x, y, to, read) }
        let sharp = try reduced(pieces.width, pieces.height, 1, inPieces, statistics)
        let small = try reduced(pieces.width, pieces.height, step, inPieces, statistics)
        let half = copy.count / 2
        return copy.indices.map { i in
            if i < half { return copy[i] + sharp[i] - small[i] }
            return copy[i] * min(max((sharp[i] + Self.epsilon) / (small[i] + Self.epsilon), 1 / Self.most), Self.most)
        }
    }

    /// Statistics of a picture, opaque, with each square of `step` pixels a side as one, their mean.
    private func reduced(
        _ width: Int, _ height: Int, _ step: Int, _ read: Read, _ statistics: Statistics
    ) throws -> [Float] {
        let (across, down) = (width / step, height / step)
        let bytes = NSMutableData(length: across * down * 4)!
        var to = bytes.mutableBytes.assumingMemoryBound(to: UInt8.self)
        var pixel: [UInt8] = [0, 0, 0, 0]
        for y in 0..<down {
            var sums = [Int](repeating: 0, count: across * 3)
            for inner in 0..<step {
                for x in 0..<across * step {
                    pixel.withUnsafeMutableBufferPointer { read(x, y * step + inner, $0.baseAddress!) }
                    let at = x / step * 3
                    for c in 0..<3 { sums[at + c] += Int(pixel[c]) }
                }
            }
            for x in 0..<across {
                for c in 0..<3 { to[c] = UInt8((sums[x * 3 + c] + step * step / 2) / (step * step)) }
                to[3] = 255
                to += 4
            }
        }
        return try statistics(bytes, across, down)
    }

    /// Pieces from all over the photo, side by side, whose sides are multiples of `step`. They fade into each other: edges
    /// between them would count as edges of the photo.
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

        init(photoWidth: Int, photoHeight: Int, pixels: Int, step: Int) {
            let side = step * max(StyleTransferMeasure.small, (StyleTransferMeasure.piece + step - 1) / step)
            let part = min(1, (Double(pixels) / (Double(photoWidth) * Double(photoHeight))).squareRoot())
            reach = side / 4
            across = min(side, photoWidth / step * step)
            down = min(side, photoHeight / step * step)
            columns = max(1, Int(Double(photoWidth) * part / Double(side)))
            rows = max(1, Int(Double(photoHeight) * part / Double(side)))
            (self.photoWidth, self.photoHeight) = (photoWidth, photoHeight)
        }

        /// Reads one pixel: the mix of up to four pieces, by the straight bytes of the photo that `read` writes.
        func mixed(_ x: Int, _ y: Int, _ to: UnsafeMutablePointer<UInt8>, _ read: Read) {
            var sums = (0, 0, 0)
            for row in max(0, y / down - 1)...min(rows - 1, y / down + 1) {
                let vertical = weight(y, row, rows, down)
                if vertical <= 0 { continue }
                for column in max(0, x / across - 1)...min(columns - 1, x / across + 1) {
                    let share = vertical * self.weight(x, column, columns, across)
                    if share <= 0 { continue }
                    // Each lies in a cell of its own, but not in line with its neighbours, as what is in photos often is.
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

        /// How much, of 4 * reach, piece `number` of `count` counts at a place; with the others, all.
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
