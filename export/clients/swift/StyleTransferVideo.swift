// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

import AVFoundation
import CoreImage

@available(iOS 16.0, macOS 13.0, *)
extension StyleTransferFrames {
    /// Returns a composition that stylizes a video, for `AVAssetExportSession.videoComposition`, and for
    /// `AVPlayerItem.videoComposition` where the phone is fast enough. Use this object for no other frames meanwhile.
    ///
    /// The frames are upright, and in the video's size. HDR is converted to SDR in sRGB.
    public func videoComposition(for asset: AVAsset) async throws -> AVVideoComposition {
        reset()
        return try await AVVideoComposition.videoComposition(with: asset) { [self] request in
            let origin = request.sourceImage.extent.origin
            stylize(request.sourceImage) { result in
                switch result {
                case .success(let buffer):
                    let image = CIImage(cvPixelBuffer: buffer)
                    let move = CGAffineTransform(translationX: origin.x, y: origin.y)
                    request.finish(with: image.transformed(by: move), context: nil)
                case .failure(let error):
                    request.finish(with: error)
                }
            }
        }
    }
}
