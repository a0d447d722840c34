// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import CoreML
import Foundation

/// The styles of a store, which share one network: `style` gives the `StyleTransfer` of a style, or of a blend of
/// several, with all of its controls. Requires the packages `Model_blend_WxH` of a store's bundle.
///
///     let store = try await StyleTransferStore(named: "Model_blend")  // once
///     let style = try store.style("starry_night")
///     let blend = try store.style(["starry_night": 0.7, "great_wave": 0.3])
///
/// What `style` returns shares the loaded packages, so it takes neither time nor memory, and one photo is processed at a
/// time in all of them. `trim` of one releases the memory of all; `close` of one leaves the others as they are.
@available(iOS 16.0, macOS 13.0, *)
public final class StyleTransferStore: Sendable {
    /// The errors, each with a one-sentence description.
    public enum Failure: LocalizedError {
        case noStyles
        case unknownStyle(String, [String])
        case invalidWeights(Double)

        public var errorDescription: String? {
            switch self {
            case .noStyles:
                return "This model is not that of a store; add a Model_blend package of a store's bundle to the app."
            case .unknownStyle(let name, let names):
                return "There is no style \(name); there are \(names.joined(separator: ", "))."
            case .invalidWeights(let sum):
                return "The weights sum to \(sum); they must be from 0 to 1 and sum to 1."
            }
        }
    }

    /// The names of the styles.
    public let styles: [String]

    private let shared: StyleTransfer

    /// Finds the models that Xcode has compiled into the app: "Model_blend" is all sizes, of which the nearest to a photo
    /// is loaded when it is needed.
    public convenience init(
        named name: String = "Model_blend",
        in bundle: Bundle = .main,
        accelerator: StyleTransfer.Accelerator = .auto,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws {
        try await self.init(
            StyleTransfer(named: name, in: bundle, accelerator: accelerator, configuration: configuration))
    }

    /// Compiles .mlpackage files that blend styles, such as ones that the app has downloaded, as `StyleTransfer` does.
    public convenience init(
        packagesAt urls: [URL],
        accelerator: StyleTransfer.Accelerator = .auto,
        configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws {
        try await self.init(
            StyleTransfer(packagesAt: urls, accelerator: accelerator, configuration: configuration))
    }

    private init(_ shared: StyleTransfer) async throws {
        self.shared = shared
        styles = try await shared.styles()
        guard !styles.isEmpty else { throw Failure.noStyles }
    }

    /// Returns what stylizes photos in a style.
    public func style(_ name: String) throws -> StyleTransfer {
        try style([name: 1])
    }

    /// Returns what stylizes photos in a blend of styles.
    ///
    /// - Parameter weights: the weights of styles by name, from 0 to 1, which sum to 1.
    public func style(_ weights: [String: Double]) throws -> StyleTransfer {
        let sum = weights.values.reduce(0, +)
        guard weights.values.allSatisfy({ (0...1).contains($0) }), abs(sum - 1) < 1e-3 else {
            throw Failure.invalidWeights(sum)
        }
        if let unknown = weights.keys.first(where: { !styles.contains($0) }) {
            throw Failure.unknownStyle(unknown, styles)
        }
        return StyleTransfer(sharing: shared, weights: styles.map { weights[$0] ?? 0 })
    }
}
