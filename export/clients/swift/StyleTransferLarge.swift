// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

#if canImport(OnnxRuntimeBindings)
import CoreGraphics
import Foundation
import ImageIO
import OnnxRuntimeBindings

/// Stylizes photos of any size in tiles. Apart from the photo and the result, memory use does not depend on their size.
/// Requires StyleTransferBitmaps.swift, StyleTransferControls.swift, StyleTransferStatistics.swift,
/// StyleTransferStrokes.swift, StyleTransferGrain.swift, StyleTransferQueue.swift and StyleTransferTiling.swift.
///
/// Core ML packages have fixed sizes, so this class runs `stats.onnx` and `tile.onnx` from the bundle's folder
/// `android` on ONNX Runtime. Add its Swift package to the app:
/// `https://github.com/microsoft/onnxruntime-swift-package-manager`.
///
/// The photo's instance-norm statistics are estimated with `stats.onnx`, from a thumbnail and from patches of the
/// photo. `tile.onnx` then stylizes each tile with these statistics. Tiles overlap, so there are no seams. A photo
/// smaller than a tile is padded by reflection, which changes its edges slightly.
///
/// All functions are thread-safe, and one photo is processed at a time, on a separate thread.
public final class StyleTransferLarge: @unchecked Sendable {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case photoTooSmall(Int, Int)
        case thumbnailPixels(Int)
        case strokeResolution(Int)
        case outOfMemory
        case unsupportedModel

        public var errorDescription: String? {
            switch self {
            case .photoTooSmall(let width, let height):
                return "The photo is \(width)x\(height) pixels; it must be at least 16x16."
            case .thumbnailPixels(let value):
                return "thumbnailPixels is \(value); it must be at least 1."
            case .strokeResolution(let value):
                return "The stroke resolution is \(value); it must be at least 16."
            case .outOfMemory:
                return "There is not enough memory for an image of this size."
            case .unsupportedModel:
                return "These models are not the stats.onnx and tile.onnx of a bundle."
            }
        }
    }

    /// The size at which the network runs.
    public enum StrokeResolution {
        /// The short side, in pixels, of which the photo's copy is stylized. The result is enlarged, and the photo's
        /// detail restored. It has no effect on a photo whose short side is not larger.
        case pixels(Int)
        /// The size of the photo.
        case native
    }

    /// The default of `stylizeLarge`: `stroke_resolution` of the style in manifest.json, or 1024 px.
    public let strokeResolution: StrokeResolution

    private let grain: StyleTransferGrain
    private let tiling: Tiling
    private let stats: String
    private let threads: Int32
    private let environment: ORTEnv
    private let tilePath: String
    private var tile: ORTSession?
    private let queue = StyleTransferQueue("StyleTransferLarge")

    /// Loads the two models from their files.
    ///
    /// - Parameters:
    ///   - strokeResolution: the number `stroke_resolution` of `style` in the bundle's manifest.json; nil where it is
    ///     null.
    ///   - grain: the number `grain` of `style` in the bundle's manifest.json.
    ///   - threads: the number of threads of ONNX Runtime.
    public init(
        statsAt stats: URL, tileAt tile: URL, tiling: Tiling, strokeResolution: Int?, grain: Double,
        threads: Int = 2
    ) throws {
        setenv("ORT_DISABLE_TELEMETRY", "1", 1)  // takes effect only before the first use of the library
        self.tiling = tiling
        self.grain = StyleTransferGrain(levels: grain)
        self.strokeResolution = .pixels(strokeResolution ?? 1024)  // as in impasto-stylize
        self.stats = stats.path
        self.threads = Int32(threads)
        tilePath = tile.path
        environment = try ORTEnv(loggingLevel: .warning)
        self.tile = try session(tilePath)
    }

    /// Releases the memory that ONNX Runtime keeps for the next photo, and the model, after the running one: for
    /// `didReceiveMemoryWarning`. The model is loaded again when it is needed.
    public func trim() {
        queue.later { [self] in tile = nil }
    }

    /// Returns a stylized copy of `photo` with the same size and transparency, in sRGB. Cancelling the task ends the
    /// work after the current tile or row, with `CancellationError`.
    ///
    /// - Parameters:
    ///   - orientation: the orientation of the photo. The result is upright.
    ///   - strength: how strongly to stylize, from 0 (the photo) to 1 (the full style).
    ///   - keepColors: whether to keep the photo's colors and transfer only the brush strokes.
    ///   - mask: a grayscale image of any size with the upright photo's aspect ratio. White areas are stylized, black
    ///     and transparent areas keep the photo, and gray areas blend the two.
    ///   - invertMask: whether to stylize the black areas instead of the white ones.
    ///   - strokeResolution: the size at which the network runs; nil is that of the style.
    ///   - thumbnailPixels: the approximate maximum number of pixels of the thumbnail, and of all patches together. A
    ///     larger value approximates the photo's true statistics better, and uses more memory.
    ///   - onProgress: is called after each tile with the completed fraction, from 0 to 1, on another thread.
    public func stylizeLarge(
        _ photo: CGImage,
        orientation: CGImagePropertyOrientation = .up,
        strength: Double = 1,
        keepColors: Bool = false,
        mask: CGImage? = nil,
        invertMask: Bool = false,
        strokeResolution: StrokeResolution? = nil,
        thumbnailPixels: Int = 1 << 20,
        onProgress: @escaping (Double) -> Void = { _ in }
    ) async throws -> CGImage {
        try await queue.run { [self] cancellation in
            let source = try bitmap(of: photo, orientation: orientation)
            let (width, height) = (source.width, source.height)
            guard width >= 16, height >= 16 else { throw Failure.photoTooSmall(width, height) }
            let controls = try StyleTransferControls(
                strength: strength, keepColors: keepColors, mask: mask, invertMask: invertMask,
                width: width, height: height)
            guard thumbnailPixels >= 1 else { throw Failure.thumbnailPixels(thumbnailPixels) }
            if strength == 0 { return try image(source) }
            let steps = Steps(thumbnailPixels: thumbnailPixels, onProgress: onProgress, cancellation: cancellation)
            var grain: StyleTransferGrain?
            if case .pixels(let resolution) = strokeResolution ?? self.strokeResolution {
                guard resolution >= 16 else { throw Failure.strokeResolution(resolution) }
                if resolution < min(width, height) { return try stylizedSmall(source, resolution, controls, steps) }
                grain = self.grain
            }
            let result = try bitmap(of: photo, orientation: orientation)
            try runTiles(source, grain, result, controls, steps)
            return try image(result)
        }
    }

    private struct Steps {
        let thumbnailPixels: Int
        let onProgress: (Double) -> Void
        let cancellation: StyleTransferCancellation
    }

    private func runTiles(
        _ source: CGContext, _ grain: StyleTransferGrain?, _ result: CGContext, _ controls: StyleTransferControls,
        _ steps: Steps
    ) throws {
        let readPixel: StyleTransferStatistics.ReadPixel = { x, y, rgba in
            source.readStraight(x, y, rgba)
            grain?.add(to: rgba, x: x, y: y)
        }
        let statistics = try estimateStatistics(source, steps, readPixel)
        let (rows, columns) = (tiling.spans(source.height), tiling.spans(source.width))
        var done = 0
        for row in rows {
            for column in columns {
                try steps.cancellation.check()
                let stylized = try run(
                    readTile(source, top: row.start, left: column.start, readPixel), statistics)
                try writeTile(stylized, from: source, to: result, row: row, column: column, controls)
                done += 1
                steps.onProgress(Double(done) / Double(rows.count * columns.count))
            }
        }
    }

    /// Stylizes a copy with a short side of `resolution` pixels, and enlarges the result over the photo.
    private func stylizedSmall(
        _ photo: CGContext, _ resolution: Int, _ controls: StyleTransferControls, _ steps: Steps
    ) throws -> CGImage {
        let width = photo.width
        let readRow: StyleTransferStrokes.ReadRow = { y, row in
            try steps.cancellation.check()
            for x in 0..<width { photo.readStraight(x, y, row + 4 * x) }
        }
        let strokes = try StyleTransferStrokes(
            width: width, height: photo.height, resolution: resolution, readRow: readRow
        ) { small, smallWidth, smallHeight in
            guard let copy = CGContext.bitmap(width: smallWidth, height: smallHeight),
                let output = CGContext.bitmap(width: smallWidth, height: smallHeight)
            else { throw Failure.outOfMemory }
            for bitmap in [copy, output] { bitmap.pixel(0, 0).update(from: small, count: small.count) }
            let whole = try StyleTransferControls(
                strength: 1, keepColors: false, mask: nil, invertMask: false, width: smallWidth, height: smallHeight)
            try runTiles(copy, grain, output, whole, steps)
            return [UInt8](UnsafeBufferPointer(start: output.pixel(0, 0), count: small.count))
        }
        try strokes.forEachRow(height: photo.height, readRow: readRow) { y, straight, result in
            controls.blend(straight, into: result, y: y, left: 0, count: width)
            photo.writePremultiplied(result, alphaOf: straight, x: 0, y: y, count: width)
        }
        return try image(photo)
    }

    private func session(_ path: String) throws -> ORTSession {
        let options = try ORTSessionOptions()
        try options.setIntraOpNumThreads(threads)
        return try ORTSession(env: environment, modelPath: path, sessionOptions: options)
    }

    private func tensor(_ data: NSMutableData, _ type: ORTTensorElementDataType, _ shape: [Int]) throws -> ORTValue {
        try ORTValue(tensorData: data, elementType: type, shape: shape.map { NSNumber(value: $0) })
    }

    /// Estimates the statistics of all instance norms. `stats.onnx` is closed afterwards to free its memory.
    private func estimateStatistics(
        _ photo: CGContext, _ steps: Steps, _ readPixel: @escaping StyleTransferStatistics.ReadPixel
    ) throws -> ORTValue {
        let session = try self.session(stats)
        let estimator = StyleTransferStatistics(
            width: photo.width, height: photo.height, pixels: steps.thumbnailPixels, steps.cancellation,
            readPixel: readPixel)
        let statistics = try estimator.estimate { bytes, width, height in
            let input = try tensor(bytes, .uInt8, [1, height, width, 4])
            let outputs = try session.run(withInputs: ["image": input], outputNames: ["statistics"], runOptions: nil)
            guard let statistics = outputs["statistics"] else { throw Failure.unsupportedModel }
            let data = try statistics.tensorData() as Data
            return data.withUnsafeBytes { [Float]($0.bindMemory(to: Float.self)) }
        }
        let data = statistics.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress!, length: $0.count) }
        return try tensor(data, .float, [2, statistics.count / 2])
    }

    private func run(_ pixels: NSMutableData, _ statistics: ORTValue) throws -> NSMutableData {
        let input = try tensor(pixels, .uInt8, [1, tiling.side, tiling.side, 4])
        let session = try tile ?? self.session(tilePath)
        tile = session
        let outputs = try session.run(
            withInputs: ["image": input, "statistics": statistics], outputNames: ["stylized"], runOptions: nil)
        guard let stylized = outputs["stylized"] else { throw Failure.unsupportedModel }
        return NSMutableData(data: try stylized.tensorData() as Data)
    }

    private func bitmap(of photo: CGImage, orientation: CGImagePropertyOrientation = .up) throws -> CGContext {
        guard let context = CGContext.bitmap(of: photo, orientation: orientation) else { throw Failure.outOfMemory }
        return context
    }

    private func image(_ context: CGContext) throws -> CGImage {
        guard let image = context.makeImage() else { throw Failure.outOfMemory }
        return image
    }

    private func readTile(
        _ photo: CGContext, top: Int, left: Int, _ readPixel: StyleTransferStatistics.ReadPixel
    ) -> NSMutableData {
        let data = NSMutableData(length: tiling.side * tiling.side * 4)!
        let tileBytes = data.mutableBytes.assumingMemoryBound(to: UInt8.self)
        for y in 0..<tiling.side {
            let row = tiling.sourceIndex(top + y, photo.height)
            for x in 0..<tiling.side {
                let column = tiling.sourceIndex(left + x, photo.width)
                readPixel(column, row, tileBytes + (y * tiling.side + x) * 4)
            }
        }
        return data
    }

    /// Crops a stylized tile by its margins, blends it with the photo and writes it to `result`.
    private func writeTile(
        _ stylized: NSMutableData, from photo: CGContext, to result: CGContext, row: Tiling.Span, column: Tiling.Span,
        _ controls: StyleTransferControls
    ) throws {
        guard stylized.length == tiling.side * tiling.side * 4 else { throw Failure.unsupportedModel }
        let tileBytes = stylized.mutableBytes.assumingMemoryBound(to: UInt8.self)
        let count = column.end - column.first
        var photoRow = [UInt8](repeating: 0, count: count * 4)
        photoRow.withUnsafeMutableBufferPointer { buffer in
            let photoRow = buffer.baseAddress!
            for y in row.first..<row.end {
                for x in 0..<count { photo.readStraight(column.first + x, y, photoRow + x * 4) }
                let tileRow = tileBytes + ((y - row.start) * tiling.side + column.first - column.start) * 4
                controls.blend(photoRow, into: tileRow, y: y, left: column.first, count: count)
                result.writePremultiplied(tileRow, alphaOf: photoRow, x: column.first, y: y, count: count)
            }
        }
    }
}
#endif
