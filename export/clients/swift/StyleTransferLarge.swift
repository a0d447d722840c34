#if canImport(OnnxRuntimeBindings)
import CoreGraphics
import Foundation
import OnnxRuntimeBindings

/// Stylizes photos of any size in tiles: beside the photo and its copy, the memory is the same for every size.
/// Requires StyleTransferControls.swift and StyleTransferMeasure.swift beside it.
///
/// Core ML's packages have fixed sizes, so this runs `stats.onnx` and `tile.onnx` of the bundle's folder `android` on ONNX
/// Runtime: add the Swift package `https://github.com/microsoft/onnxruntime-swift-package-manager` to the app.
///
/// It measures a small copy and some pieces of the photo with `stats.onnx`, then runs `tile.onnx` on each tile,
/// with the statistics of the whole photo and with a margin, so that there are no seams. A photo that is narrower
/// than a tile is extended by reflection, which changes its edge slightly.
///
/// It works on one photo at a time, from any thread, and blocks, so call it off the main thread.
public final class StyleTransferLarge: @unchecked Sendable {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case size(Int, Int)
        case measured(Int)
        case noMemory
        case otherModel

        public var errorDescription: String? {
            switch self {
            case .size(let width, let height):
                return "The photo is \(width)x\(height) pixels; it must be 16 or more a side."
            case .measured(let value):
                return "measured is \(value); it must be 1 or more."
            case .noMemory:
                return "There is not enough memory for a picture of this size."
            case .otherModel:
                return "These are no stats.onnx and tile.onnx of impasto."
            }
        }
    }

    /// The tiles: `side` pixels, of which `margin` pixels at each inner edge are not used; `multiple` divides both.
    public struct Cut {
        public let side: Int
        public let margin: Int
        public let multiple: Int

        /// The three numbers are in manifest.json of the bundle: see `tiling` of the model `android/tile.onnx`.
        public init(side: Int, margin: Int, multiple: Int) {
            self.side = side
            self.margin = margin
            self.multiple = multiple
        }
    }

    private let cut: Cut
    private let stats: String
    private let threads: Int32
    private let environment: ORTEnv
    private let tile: ORTSession
    private let lock = NSLock()
    private let colors = CGColorSpace(name: CGColorSpace.sRGB)!

    /// Loads the two models from their files.
    ///
    /// - Parameter threads: the number of cores to use.
    public init(statsAt stats: URL, tileAt tile: URL, cut: Cut, threads: Int = 2) throws {
        setenv("ORT_DISABLE_TELEMETRY", "1", 1)  // before the library is first touched
        self.cut = cut
        self.stats = stats.path
        self.threads = Int32(threads)
        environment = try ORTEnv(loggingLevel: .warning)
        let options = try ORTSessionOptions()
        try options.setIntraOpNumThreads(self.threads)
        self.tile = try ORTSession(env: environment, modelPath: tile.path, sessionOptions: options)
    }

    /// Returns a stylized copy of `photo` with the same size and transparency, in sRGB.
    ///
    /// - Parameters:
    ///   - strength: from 0, the photo itself, to 1, the full style.
    ///   - keepColors: the brush strokes of the style in the colors of the photo.
    ///   - mask: a gray image with the photo's aspect ratio, of any size: white is stylized, black and
    ///     transparent parts stay, gray is mixed.
    ///   - invertMask: stylizes the rest instead.
    ///   - measured: the approximate maximum number of pixels of the copy, and of the pieces: more of them come
    ///     closer to stylizing the photo whole, and take more memory.
    ///   - progress: receives, after each tile, the completed fraction, from 0 to 1.
    public func stylizeLarge(
        _ photo: CGImage,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false,
        measured: Int = 1 << 20,
        progress: (Double) -> Void = { _ in }
    ) throws -> CGImage {
        let (width, height) = (photo.width, photo.height)
        guard width >= 16, height >= 16 else { throw Failure.size(width, height) }
        let controls = try StyleTransferControls(
            strength: strength, keepColors: keepColors, mask: mask, invertMask: invertMask, width: width, height: height)
        guard measured >= 1 else { throw Failure.measured(measured) }
        let source = try drawn(photo, width: width, height: height)
        if strength == 0 { return try image(source) }
        let result = try drawn(photo, width: width, height: height)
        let statistics = try lock.withLock { try measure(source, pixels: measured) }
        let (rows, columns) = (spans(height), spans(width))
        var done = 0
        for row in rows {
            for column in columns {
                let taken = read(source, top: row.start, left: column.start)
                let stylized = try lock.withLock { try painted(taken, statistics) }
                try write(stylized, from: source, to: result, row: row, column: column, controls)
                done += 1
                progress(Double(done) / Double(rows.count * columns.count))
            }
        }
        return try image(result)
    }

    // MARK: The network

    private func tensor(_ data: NSMutableData, _ type: ORTTensorElementDataType, _ shape: [Int]) throws -> ORTValue {
        try ORTValue(tensorData: data, elementType: type, shape: shape.map { NSNumber(value: $0) })
    }

    /// The statistics of the photo for the norms of the network; the model is closed afterwards to free its memory.
    private func measure(_ photo: CGContext, pixels: Int) throws -> ORTValue {
        let options = try ORTSessionOptions()
        try options.setIntraOpNumThreads(threads)
        let session = try ORTSession(env: environment, modelPath: stats, sessionOptions: options)
        let sample = StyleTransferMeasure(width: photo.width, height: photo.height, pixels: pixels) { x, y, to in
            self.straight(photo, x, y, to)
        }
        let measured = try sample.measure { bytes, width, height in
            let input = try tensor(bytes, .uInt8, [1, height, width, 4])
            let found = try session.run(withInputs: ["image": input], outputNames: ["statistics"], runOptions: nil)
            guard let statistics = found["statistics"] else { throw Failure.otherModel }
            let data = try statistics.tensorData() as Data
            return data.withUnsafeBytes { [Float]($0.bindMemory(to: Float.self)) }
        }
        let kept = measured.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress!, length: $0.count) }
        return try tensor(kept, .float, [2, measured.count / 2])
    }

    private func painted(_ taken: NSMutableData, _ statistics: ORTValue) throws -> NSMutableData {
        let input = try tensor(taken, .uInt8, [1, cut.side, cut.side, 4])
        let found = try tile.run(
            withInputs: ["image": input, "statistics": statistics], outputNames: ["stylized"], runOptions: nil)
        guard let stylized = found["stylized"] else { throw Failure.otherModel }
        return NSMutableData(data: try stylized.tensorData() as Data)
    }

    // MARK: Tiles

    /// Along one side of a photo: the start of a tile, and the start and exclusive end of its used part.
    private struct Span {
        let start: Int
        let first: Int
        let end: Int
    }

    private func spans(_ length: Int) -> [Span] {
        let last = max(0, padded(length) - cut.side)
        var (found, start, used) = ([Span](), 0, 0)
        while used < length {
            let end = start == last ? length : start + cut.side - cut.margin
            found.append(Span(start: start, first: used, end: end))
            used = end
            start = min(start + cut.side - 2 * cut.margin, last)
        }
        return found
    }

    /// The row or column of the photo for one of a tile: beyond the photo, its edge repeats, then it is mirrored.
    private func place(_ at: Int, _ length: Int) -> Int {
        let turn = at % (2 * padded(length) - 2)
        return min(turn < padded(length) ? turn : 2 * padded(length) - 2 - turn, length - 1)
    }

    private func padded(_ length: Int) -> Int { (length + cut.multiple - 1) / cut.multiple * cut.multiple }

    // MARK: Pixels, RGBA and premultiplied in a CGContext, straight for the network

    private func drawn(_ photo: CGImage, width: Int, height: Int) throws -> CGContext {
        guard
            let context = CGContext(
                data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width * 4, space: colors,
                bitmapInfo: CGImageAlphaInfo.premultipliedLast.rawValue)
        else { throw Failure.noMemory }
        context.interpolationQuality = .high
        context.setBlendMode(.copy)
        context.draw(photo, in: CGRect(x: 0, y: 0, width: width, height: height))
        return context
    }

    private func image(_ context: CGContext) throws -> CGImage {
        guard let image = context.makeImage() else { throw Failure.noMemory }
        return image
    }

    private func bytes(_ context: CGContext, _ x: Int, _ y: Int) -> UnsafeMutablePointer<UInt8> {
        context.data!.assumingMemoryBound(to: UInt8.self) + y * context.bytesPerRow + x * 4
    }

    /// Writes the straight color of a pixel to four bytes.
    private func straight(_ context: CGContext, _ x: Int, _ y: Int, _ to: UnsafeMutablePointer<UInt8>) {
        let from = bytes(context, x, y)
        let alpha = Int(from[3])
        for c in 0..<3 {
            to[c] = alpha == 0 ? 0 : UInt8(min(255, (Int(from[c]) * 255 + alpha / 2) / alpha))
        }
        to[3] = from[3]
    }

    private func read(_ photo: CGContext, top: Int, left: Int) -> NSMutableData {
        let data = NSMutableData(length: cut.side * cut.side * 4)!
        let to = data.mutableBytes.assumingMemoryBound(to: UInt8.self)
        for y in 0..<cut.side {
            let row = place(top + y, photo.height)
            for x in 0..<cut.side {
                straight(photo, place(left + x, photo.width), row, to + (y * cut.side + x) * 4)
            }
        }
        return data
    }

    private func write(
        _ stylized: NSMutableData, from photo: CGContext, to result: CGContext, row: Span, column: Span,
        _ controls: StyleTransferControls
    ) throws {
        guard stylized.length == cut.side * cut.side * 4 else { throw Failure.otherModel }
        let from = stylized.mutableBytes.assumingMemoryBound(to: UInt8.self)
        let count = column.end - column.first
        var line = [UInt8](repeating: 0, count: count * 4)
        line.withUnsafeMutableBufferPointer { line in
            let own = line.baseAddress!
            for y in row.first..<row.end {
                for x in 0..<count { straight(photo, column.first + x, y, own + x * 4) }
                let painted = from + ((y - row.start) * cut.side + column.first - column.start) * 4
                controls.mix(own, into: painted, y: y, left: column.first, count: count)
                let to = bytes(result, column.first, y)
                for x in 0..<count {
                    for c in x * 4..<x * 4 + 3 { to[c] = UInt8((Int(painted[c]) * Int(own[x * 4 + 3]) + 127) / 255) }
                }
            }
        }
    }
}
#endif
