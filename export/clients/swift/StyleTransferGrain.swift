// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import Foundation

/// Adds smooth grain to photos, as `impasto-stylize` does, byte for byte: where a photo is flat, a network paints strokes
/// that follow the grain. The grain depends on the position alone, so it stands still in a video.
struct StyleTransferGrain {
    private static let side = 512  // px after which the grain repeats
    private static let unit = 32.0  // the standard deviation of `grain`
    private static let sum: Int32 = 11539  // of the sums, is 1 in `grain`
    private static let first = 141 * side * side  // the first number that is hashed
    private static let widths = [3, 3, 3, 5]  // px, of the moving averages: together nearly a Gaussian filter

    private static let grain: [Int32] = {
        var sums = (first..<first + side * side).map { 2 * Int32(hash(UInt32($0)) >> 24) - 255 }
        for width in widths {
            sums = movingSums(sums, along: side, across: 1, radius: width / 2)
            sums = movingSums(sums, along: 1, across: side, radius: width / 2)
        }
        return sums.map { value in
            // Division rounds toward 0: it gets a positive number.
            let rounded = (value + sum / 2 + 1000 * sum) / sum - 1000
            return min(max(rounded, -127), 127)
        }
    }()

    /// What is added at each position; empty for 0 levels.
    private let added: [Int]

    /// - Parameter levels: the standard deviation of the grain, in levels of 255: at most 32; others count as 0.
    init(levels: Double) {
        guard levels > 0, levels <= 32 else {
            added = []
            return
        }
        added = Self.grain.map { Int((levels / Self.unit * Double($0) + 0.5).rounded(.down)) }
    }

    /// Whether nothing is added.
    var isEmpty: Bool { added.isEmpty }

    /// Adds the grain at a position to the three channels of its pixel.
    func add(to pixel: UnsafeMutablePointer<UInt8>, x: Int, y: Int) {
        if isEmpty { return }
        let change = added[y % Self.side * Self.side + x % Self.side]
        for channel in 0..<3 { pixel[channel] = UInt8(min(max(Int(pixel[channel]) + change, 0), 255)) }
    }

    /// Adds up 2 `radius` + 1 values around each one along an axis, whose ends continue each other.
    private static func movingSums(_ values: [Int32], along: Int, across: Int, radius: Int) -> [Int32] {
        var sums = [Int32](repeating: 0, count: values.count)
        for line in 0..<side {
            for i in 0..<side {
                var total: Int32 = 0
                for shift in -radius...radius { total += values[line * across + (i + shift + side) % side * along] }
                sums[line * across + i * along] = total
            }
        }
        return sums
    }

    /// The 32-bit finalizer of MurmurHash3 (Appleby 2011).
    private static func hash(_ number: UInt32) -> UInt32 {
        var bits = (number ^ (number >> 16)) &* 0x85EB_CA6B
        bits = (bits ^ (bits >> 13)) &* 0xC2B2_AE35
        return bits ^ (bits >> 16)
    }
}
