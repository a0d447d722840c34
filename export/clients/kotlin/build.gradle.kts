// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

// The folder of a bundle's clients as a module. In settings.gradle.kts of an app:
//     include(":impasto")
//     project(":impasto").projectDir = file("PATH/OF/BUNDLE/android")
// and in build.gradle.kts of the app: implementation(project(":impasto"))

plugins {
    id("com.android.library")
    id("org.jetbrains.kotlin.android")
}

layout.buildDirectory.set(rootProject.layout.buildDirectory.dir("impasto")) // leaves the bundle as it is

android {
    namespace = "impasto.clients" // of the resources; the classes are in the package impasto
    compileSdk = 36
    defaultConfig {
        minSdk = 24
        consumerProguardFiles("consumer-rules.pro")
    }
    sourceSets["main"].apply {
        manifest.srcFile("AndroidManifest.xml")
        kotlin.setSrcDirs(listOf("."))
        java.setSrcDirs(listOf("."))
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }
}

kotlin {
    compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11) }
}

dependencies {
    implementation("com.microsoft.onnxruntime:onnxruntime-android:1.29.0")
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
    // The GPU. Without them, delete StyleTransferLiteRt.kt; StyleTransfer then runs on the CPU.
    implementation("com.google.ai.edge.litert:litert:2.3.0")
    implementation("com.google.ai.edge.litert:litert-gpu:2.3.0")
    // Only for StyleTransferCamera.kt and StyleTransferVideo.kt, in apps that have these libraries.
    compileOnly("androidx.camera:camera-core:1.5.0")
    compileOnly("androidx.media3:media3-common:1.8.0")
    compileOnly("androidx.media3:media3-effect:1.8.0")
}
