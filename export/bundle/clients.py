"""The Kotlin and Swift files that a bundle includes, by their paths in it."""

KOTLIN, SWIFT = "android/StyleTransfer.kt", "ios/StyleTransfer.swift"
KOTLIN_LARGE, SWIFT_LARGE = "android/StyleTransferLarge.kt", "ios/StyleTransferLarge.swift"
KOTLIN_CONTROLS, SWIFT_CONTROLS = "android/StyleTransferControls.kt", "ios/StyleTransferControls.swift"
KOTLIN_MEASURE, SWIFT_MEASURE = "android/StyleTransferMeasure.kt", "ios/StyleTransferMeasure.swift"
CLIENTS = KOTLIN, KOTLIN_CONTROLS, KOTLIN_LARGE, KOTLIN_MEASURE, SWIFT, SWIFT_CONTROLS, SWIFT_LARGE, SWIFT_MEASURE
