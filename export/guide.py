"""The README of a bundle: for an app developer who has this folder and nothing else."""

from impasto.export.label import Contract, Label, sentence

_PAGE = """\
# {style}

A neural network that paints photos in the style *{style}*.
Style by {artist}; licence of the style: {licence}.
Written by impasto {version}.

| file | what it is |
| --- | --- |
| `android/model.onnx` | for ONNX Runtime; {onnx} |
| `ios/Model.mlpackage` | for Core ML on iOS 16 and later; {coreml} |
| `manifest.json` | the same in JSON, with the size and SHA-256 of each file and the differences to PyTorch |

{promise}

## Android

1. In `build.gradle.kts` add `implementation("com.microsoft.onnxruntime:onnxruntime-android:1.30.0")` (or another
   from 1.14 on), and copy `android/model.onnx` to `src/main/assets/`.
2. Turn ONNX Runtime's telemetry off before it starts. From 1.29 on, the library starts it with the app and sends usage
   data to Microsoft. Inside `<application>` in `AndroidManifest.xml` (the root needs
   `xmlns:tools="http://schemas.android.com/tools"`):

   ```xml
   <provider
       android:name="ai.onnxruntime.TelemetryInitializer"
       android:authorities="${{applicationId}}.onnxruntime_telemetry_initializer"
       tools:node="remove" />
   ```

   and at the start of `Application.onCreate()`, before anything touches ONNX Runtime:

   ```kotlin
   android.system.Os.setenv("ORT_DISABLE_TELEMETRY", "1", true)
   ```

3. Keep one session, and run it outside the main thread:

   ```kotlin
   // once
   val environment = OrtEnvironment.getEnvironment()
   val session = environment.createSession(context.assets.open("model.onnx").use {{ it.readBytes() }})

   // for each photo
{kotlin}
   ```

   Time and memory grow with the number of pixels: scale a photo down first.

## iOS

1. Drag `ios/Model.mlpackage` into the Xcode project, and tick the app's target. Xcode makes the class `Model` of it.
2. Load it once:

   ```swift
   let model = try Model(configuration: MLModelConfiguration())
   ```

3. Outside the main thread, for each photo (a `CGImage`, which Core ML scales to {width}x{height}; crop it to that
   shape first, or it is distorted):

   ```swift
   let result = try model.prediction(input: ModelInput(imageWith: photo)).stylized  // CVPixelBuffer
   let picture = UIImage(ciImage: CIImage(cvPixelBuffer: result))
   ```

   The size is fixed. For another, export again with `coreml.width=` and `coreml.height=`.

## What was checked

- `android/model.onnx` was run with ONNX Runtime on a computer, on pictures of {sizes} sizes. No byte differed from
  PyTorch by more than {largest} of 255.
- `ios/Model.mlpackage` was read back: its interface, version and weights are as promised. It computes in 16-bit floats.
  It was **not** run, since Core ML runs on Apple's systems alone.
- Neither was timed on a phone.
"""
_PIXELS_PROMISE = """\
Feed a photo's bytes as they are: scaling of values, padding and rounding are inside the files. Colours are straight,
not premultiplied with alpha: a photo is opaque and needs no care, a picture with transparency does."""
_FLOATS_PROMISE = """\
Feed RGB values 0..255 to the ONNX file, without any normalisation, and round and clamp its output to 0..255 yourself.
Padding is inside it. The Core ML package takes and gives images."""
_PIXELS_KOTLIN = """\
   // bitmap: a mutable ARGB_8888 Bitmap, at least 16 pixels a side
   val pixels = ByteBuffer.allocateDirect(bitmap.byteCount).order(ByteOrder.nativeOrder())
   bitmap.copyPixelsToBuffer(pixels)
   pixels.rewind()
   val shape = longArrayOf(1, bitmap.height.toLong(), bitmap.width.toLong(), 4)
   OnnxTensor.createTensor(environment, pixels, shape, OnnxJavaType.UINT8).use { image ->
       session.run(mapOf("image" to image)).use { result ->
           bitmap.copyPixelsFromBuffer((result.get(0) as OnnxTensor).byteBuffer)
       }
   }"""
_FLOATS_KOTLIN = """\
   // planes: a direct FloatBuffer of all red, then all green, then all blue values; height and width at least 16
   val shape = longArrayOf(1, 3, height.toLong(), width.toLong())
   OnnxTensor.createTensor(environment, planes, shape).use { image ->
       session.run(mapOf("image" to image)).use { result ->
           val stylized = (result.get(0) as OnnxTensor).floatBuffer  // in the same order
       }
   }"""


def readme(label: Label, onnx: Contract, coreml: Contract, sizes: int, largest: int) -> str:
    """The text, where `sizes` pictures were compared and no byte differed by more than `largest`."""
    pixels = onnx["input"]["type"] == "uint8"
    return _PAGE.format(
        **vars(label),
        onnx=sentence(onnx),
        coreml=sentence(coreml),
        height=coreml["input"]["shape"][0],
        width=coreml["input"]["shape"][1],
        promise=_PIXELS_PROMISE if pixels else _FLOATS_PROMISE,
        kotlin=_PIXELS_KOTLIN if pixels else _FLOATS_KOTLIN,
        sizes=sizes,
        largest=largest,
    )
