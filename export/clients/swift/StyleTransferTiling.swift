// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

#if canImport(OnnxRuntimeBindings)
extension StyleTransferLarge {
    /// The size of the tiles, in pixels: `margin` is cropped from each inner edge, and `multiple` divides both others.
    public struct Tiling {
        public let side: Int
        public let margin: Int
        public let multiple: Int

        /// Takes the values of `tiling` of the model `android/tile.onnx` in the bundle's manifest.json.
        public init(side: Int, margin: Int, multiple: Int) {
            self.side = side
            self.margin = margin
            self.multiple = multiple
        }

        /// A tile along one axis: its `start`, and the `first` pixel and exclusive `end` of its part of the result.
        struct Span {
            let start: Int
            let first: Int
            let end: Int
        }

        func spans(_ length: Int) -> [Span] {
            let last = max(0, paddedLength(length) - side)
            var (spans, start, used) = ([Span](), 0, 0)
            while used < length {
                let end = start == last ? length : start + side - margin
                spans.append(Span(start: start, first: used, end: end))
                used = end
                start = min(start + side - 2 * margin, last)
            }
            return spans
        }

        /// Maps an index of the padded photo to the photo: edge padding to a multiple of `multiple`, then reflection.
        func sourceIndex(_ index: Int, _ length: Int) -> Int {
            let padded = paddedLength(length)
            let phase = index % (2 * padded - 2)
            return min(phase < padded ? phase : 2 * padded - 2 - phase, length - 1)
        }

        private func paddedLength(_ length: Int) -> Int {
            (length + multiple - 1) / multiple * multiple
        }
    }
}
#endif
