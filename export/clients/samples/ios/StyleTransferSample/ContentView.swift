// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import PhotosUI
import SwiftUI

struct ContentView: View {
    @StateObject private var model = StyleModel()
    @State private var picked: PhotosPickerItem?

    var body: some View {
        VStack(spacing: 12) {
            picture.frame(maxWidth: .infinity, maxHeight: .infinity)
            if model.isBusy { ProgressView() }
            if let message = model.message { Text(message) }
            styles
            Slider(value: $model.strength, in: 0...1) { Text("Strength") }
            buttons
        }
        .padding()
        .onChange(of: picked) { item in
            guard let item else { return }
            model.stopCamera()
            model.pick { try await item.loadTransferable(type: Data.self) }
        }
        .onReceive(NotificationCenter.default.publisher(for: UIApplication.didReceiveMemoryWarningNotification)) { _ in
            model.trim()
        }
    }

    @ViewBuilder private var picture: some View {
        if let image = model.result {
            Image(uiImage: image).resizable().scaledToFit().accessibilityLabel(model.style.name)
        } else {
            Text("Pick a photo, or open the camera")
        }
    }

    private var styles: some View {
        ScrollView(.horizontal, showsIndicators: false) {
            HStack {
                ForEach(model.styles) { style in
                    Button(style.name) { model.style = style }
                        .buttonStyle(.bordered)
                        .tint(style == model.style ? Color.accentColor : Color.secondary)
                }
            }
        }
    }

    private var buttons: some View {
        HStack {
            PhotosPicker("Photo", selection: $picked, matching: .images)
            Button(model.isCameraRunning ? "Stop" : "Camera") {
                if model.isCameraRunning { model.stopCamera() } else { model.startCamera() }
            }
            Button("Save") { model.save() }.disabled(model.result == nil)
            if let image = model.result {
                let shared = Image(uiImage: image)
                ShareLink(item: shared, preview: SharePreview(model.style.name, image: shared))
            }
        }
    }
}
