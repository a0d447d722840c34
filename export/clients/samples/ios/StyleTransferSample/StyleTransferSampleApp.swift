// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import SwiftUI

@main
struct StyleTransferSampleApp: App {
    var body: some Scene {
        WindowGroup { ContentView() }
    }
}
