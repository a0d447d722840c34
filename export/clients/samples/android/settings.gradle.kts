// SPDX-License-Identifier: MIT
// Copyright (c) 2026 The impasto authors

pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "StyleTransferSample"
include(":app")
include(":impasto")
project(":impasto").projectDir = file("../../android") // the clients of the bundle
