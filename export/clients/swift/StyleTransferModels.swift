// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreML
import CoreVideo
import CryptoKit
import Foundation

/// The packages of a style, of which each has one size. They are loaded when a photo needs them.
@available(iOS 16.0, macOS 13.0, *)
final class StyleTransferModels {
    /// The width and height of a package, in pixels.
    struct Size: Hashable {
        let width: Int
        let height: Int

        /// How much an image of this size is distorted and scaled at another size: 0 for this one.
        func distance(to other: Size) -> Double {
            let aspect = log(Double(width) * Double(other.height) / Double(height) / Double(other.width))
            return abs(aspect) + abs(log(Double(min(width, height)) / Double(min(other.width, other.height))))
        }
    }

    /// A loaded package.
    struct Loaded {
        let model: MLModel
        let size: Size
        let pixelFormat: OSType
        let strokeResolution: Int?
        let grain: StyleTransferGrain
        /// The names of the styles that the package blends; empty for a package of one style.
        let styles: [String]
        /// The weights of these styles; at first, those of the first style alone.
        var weights: [Double]

        init(_ model: MLModel) throws {
            let inputs = model.modelDescription.inputDescriptionsByName
            guard let constraint = inputs["image"]?.imageConstraint else {
                throw StyleTransfer.Failure.unsupportedModel("input image")
            }
            self.model = model
            size = Size(width: constraint.pixelsWide, height: constraint.pixelsHigh)
            pixelFormat = constraint.pixelFormatType
            let metadata = model.modelDescription.metadata[.creatorDefinedKey] as? [String: String]
            strokeResolution = metadata?["stroke_resolution"].flatMap { Int($0) }
            grain = StyleTransferGrain(levels: metadata?["grain"].flatMap { Double($0) } ?? 0)
            styles = inputs["styles"] == nil ? [] : metadata?["style_names"]?.components(separatedBy: "\n") ?? []
            weights = styles.indices.map { $0 == 0 ? 1 : 0 }
        }

        func prediction(from image: CVPixelBuffer) throws -> CVPixelBuffer {
            var features = ["image": MLFeatureValue(pixelBuffer: image)]
            if !styles.isEmpty {
                let array = try MLMultiArray(shape: [1, NSNumber(value: styles.count)], dataType: .float32)
                for (index, weight) in weights.enumerated() { array[index] = NSNumber(value: weight) }
                features["styles"] = MLFeatureValue(multiArray: array)
            }
            let output = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: features))
            guard let stylized = output.featureValue(for: "stylized")?.imageBufferValue else {
                throw StyleTransfer.Failure.unsupportedModel("output stylized")
            }
            return stylized
        }
    }

    private(set) var accelerator: StyleTransfer.Accelerator
    private(set) var fallbackReasons: [String] = []
    private let urls: [(size: Size?, url: URL)]
    private let configuration: MLModelConfiguration
    private var loaded: [URL: Loaded] = [:]

    init(_ urls: [URL], _ accelerator: StyleTransfer.Accelerator, _ configuration: MLModelConfiguration) {
        self.urls = urls.map { (StyleTransferModels.size(inNameOf: $0), $0) }
        self.accelerator = accelerator
        self.configuration = configuration
    }

    /// Returns the package that is nearest to a size in shape and size.
    func nearest(to size: Size) throws -> Loaded {
        let url = urls.min { ($0.size?.distance(to: size) ?? 0) < ($1.size?.distance(to: size) ?? 0) }!.url
        if let package = loaded[url] { return package }
        var package = try load(url, accelerator)
        if accelerator != .cpu, try !isRight(package, url) {
            fallbackReasons.append("\(accelerator) is not used: \(url.lastPathComponent) differs from the CPU")
            accelerator = .cpu
            loaded = [:]
            package = try load(url, accelerator)
        }
        loaded[url] = package
        return package
    }

    /// Returns that of the style; of several models all have the same.
    func strokeResolution() throws -> Int? {
        if let package = loaded.values.first { return package.strokeResolution }
        return try nearest(to: Size(width: 1024, height: 1024)).strokeResolution
    }

    func releaseAll() {
        loaded = [:]
    }

    private func load(_ url: URL, _ accelerator: StyleTransfer.Accelerator) throws -> Loaded {
        let settings = configuration.copy() as! MLModelConfiguration
        settings.computeUnits = accelerator.computeUnits
        return try Loaded(try MLModel(contentsOf: url, configuration: settings))
    }

    /// Returns the size of "Model_512x768.mlmodelc".
    private static func size(inNameOf url: URL) -> Size? {
        let name = url.deletingPathExtension().lastPathComponent
        let sides = name.split(separator: "_").last?.split(separator: "x").compactMap { Int($0) } ?? []
        return sides.count == 2 ? Size(width: sides[0], height: sides[1]) : nil
    }

    // MARK: The test

    private static let largestDifference = 3.0  // levels, root mean square: 8-bit weights are worth 2.6 at most

    /// Compares a package with itself on the CPU, on a test picture, at its first use in this version of the app and of
    /// the system.
    private func isRight(_ package: Loaded, _ url: URL) throws -> Bool {
        let name = url.pathComponents.suffix(2).joined(separator: "/")  // that of a download has its SHA-256
        let version = Bundle.main.object(forInfoDictionaryKey: "CFBundleVersion") as? String ?? ""
        let system = ProcessInfo.processInfo.operatingSystemVersionString
        let key = "\(name) \(version) \(accelerator) \(system)"
        // In a file: for user defaults and dates of files, Apple asks for reasons in the privacy manifest of the app.
        let file = try? Self.caches().appendingPathComponent("tests.json")
        var results = file.flatMap { try? JSONDecoder().decode([String: Bool].self, from: Data(contentsOf: $0)) } ?? [:]
        if let isRight = results[key] { return isRight }
        let picture = try Self.testPicture(package.size, package.pixelFormat)
        let expected = try load(url, .cpu).prediction(from: picture)
        let isRight = Self.difference(try package.prediction(from: picture), expected) <= Self.largestDifference
        results[key] = isRight
        if let file { try? JSONEncoder().encode(results).write(to: file, options: .atomic) }
        return isRight
    }

    /// Returns a picture with gradients, edges and texture, as bytes of any order of the channels.
    private static func testPicture(_ size: Size, _ format: OSType) throws -> CVPixelBuffer {
        var created: CVPixelBuffer?
        CVPixelBufferCreate(kCFAllocatorDefault, size.width, size.height, format, nil, &created)
        guard let buffer = created else { throw StyleTransfer.Failure.outOfMemory }
        withBytes(of: buffer) { bytes, rowBytes in
            for y in 0..<size.height {
                for x in 0..<size.width {
                    let (across, down, texture) = (x * 255 / size.width, y * 255 / size.height, (x * 7 ^ y * 13) & 31)
                    let isFlat = (across - 90) * (across - 90) + (down - 100) * (down - 100) < 2500
                    let pixel = bytes + y * rowBytes + x * 4
                    pixel[0] = UInt8(isFlat ? 230 : across)
                    pixel[1] = UInt8(isFlat ? 40 : across > 128 ? 255 - down : texture * 8)
                    pixel[2] = UInt8(isFlat ? 20 : (across + down) / 2 ^ texture)
                    pixel[3] = 255
                }
            }
        }
        return buffer
    }

    /// Returns the root mean square of the differences, in levels of 255.
    private static func difference(_ one: CVPixelBuffer, _ other: CVPixelBuffer) -> Double {
        let (width, height) = (CVPixelBufferGetWidth(one), CVPixelBufferGetHeight(one))
        var squares = 0
        withBytes(of: one) { first, firstRow in
            withBytes(of: other) { second, secondRow in
                for y in 0..<height {
                    for x in 0..<width * 4 {
                        let difference = Int(first[y * firstRow + x]) - Int(second[y * secondRow + x])
                        squares += difference * difference
                    }
                }
            }
        }
        return (Double(squares) / Double(width * height * 4)).squareRoot()
    }

    static func withBytes(
        of buffer: CVPixelBuffer, _ body: (UnsafeMutablePointer<UInt8>, _ rowBytes: Int) -> Void
    ) {
        CVPixelBufferLockBaseAddress(buffer, [])
        defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
        guard let base = CVPixelBufferGetBaseAddress(buffer) else { return }
        body(base.assumingMemoryBound(to: UInt8.self), CVPixelBufferGetBytesPerRow(buffer))
    }

    // MARK: Files

    /// Returns the compiled packages in a bundle: "Model_512x512", or all sizes of "Model".
    static func urls(named name: String, in bundle: Bundle) -> [URL] {
        if let url = bundle.url(forResource: name, withExtension: "mlmodelc") { return [url] }
        let all = bundle.urls(forResourcesWithExtension: "mlmodelc", subdirectory: nil) ?? []
        return all.filter { url in
            let file = url.deletingPathExtension().lastPathComponent
            return file.hasPrefix("\(name)_") && size(inNameOf: url) != nil && !file.dropFirst(name.count + 1).contains("_")
        }
    }

    /// Compiles a package, or returns what an earlier call compiled.
    static func compiled(_ package: URL) async throws -> URL {
        let files = FileManager.default
        let name = package.deletingPathExtension().lastPathComponent
        let parent = try caches().appendingPathComponent(try digest(of: package), isDirectory: true)
        let cached = parent.appendingPathComponent("\(name).mlmodelc", isDirectory: true)
        if files.fileExists(atPath: cached.path) { return cached }
        let compiled = try await MLModel.compileModel(at: package)
        do {
            try files.createDirectory(at: parent, withIntermediateDirectories: true)
            try files.moveItem(at: compiled, to: cached)
        } catch {
            guard files.fileExists(atPath: cached.path) else { return compiled }
            try? files.removeItem(at: compiled)  // another call has compiled the same package meanwhile
        }
        return cached
    }

    /// Returns the folder in the app's caches for what can be computed again.
    private static func caches() throws -> URL {
        let folder = try FileManager.default
            .url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
            .appendingPathComponent("StyleTransfer", isDirectory: true)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Returns the SHA-256 of the names and contents of the files in a folder.
    private static func digest(of folder: URL) throws -> String {
        var hash = SHA256()
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() {
            let file = folder.appendingPathComponent(name)
            guard try file.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile == true else { continue }
            hash.update(data: Data(name.utf8))
            hash.update(data: try Data(contentsOf: file, options: .mappedIfSafe))
        }
        return hash.finalize().map { String(format: "%02x", $0) }.joined()
    }
}
