// swift-tools-version: 5.9
// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The folder of a bundle's clients as a package: in Xcode, File, Add Package Dependencies, Add Local. The .mlpackage
// files belong to the app's target.

import Foundation
import PackageDescription

/// Set this for StyleTransferLarge, which runs on ONNX Runtime.
let large = false

let files = (try? FileManager.default.contentsOfDirectory(atPath: Context.packageDirectory)) ?? []
let onnxRuntime = Package.Dependency.package(
    url: "https://github.com/microsoft/onnxruntime-swift-package-manager", from: "1.20.0")

let package = Package(
    name: "StyleTransfer",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "StyleTransfer", targets: ["StyleTransfer"])],
    dependencies: large ? [onnxRuntime] : [],
    targets: [
        .target(
            name: "StyleTransfer",
            dependencies: large ? [.product(name: "onnxruntime", package: "onnxruntime-swift-package-manager")] : [],
            path: ".",
            exclude: files.filter { $0.hasSuffix(".mlpackage") },
            sources: files.filter { $0.hasPrefix("StyleTransfer") && $0.hasSuffix(".swift") })
    ]
)
