// Runs an ONNX file on raw pictures in ONNX Runtime: arm64 MODEL HEIGHT WIDTH IN OUT [HEIGHT WIDTH IN OUT ...]
// IN and OUT are RGBA bytes. Compiled and called by ort_arm64.py.
#include <stdio.h>
#include <stdlib.h>

#include "onnxruntime_c_api.h"

static const OrtApi *ort;

static _Noreturn void end(const char *reason) {
  fprintf(stderr, "error: %s\n", reason);
  exit(1);
}

static void check(OrtStatus *status) {
  if (status != NULL) end(ort->GetErrorMessage(status));
}

static FILE *opened(const char *path, const char *mode) {
  FILE *file = fopen(path, mode);
  if (file == NULL) end(path);
  return file;
}

int main(int count, char **words) {
  const char *inputs[] = {"image"}, *outputs[] = {"stylized"};
  OrtEnv *env;
  OrtSessionOptions *options;
  OrtSession *session;
  OrtMemoryInfo *memory;

  ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (ort == NULL || count < 2) end("no model is named, or ONNX Runtime is older than its headers");
  check(ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "impasto", &env));
  check(ort->CreateSessionOptions(&options));
  check(ort->SetIntraOpNumThreads(options, 1));
  check(ort->CreateSession(env, words[1], options, &session));
  check(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
  for (int word = 2; word + 3 < count; word += 4) {
    const int64_t shape[] = {1, atoll(words[word]), atoll(words[word + 1]), 4};
    const size_t size = (size_t)(shape[1] * shape[2] * 4);
    unsigned char *pixels = malloc(size);
    void *painted;
    OrtValue *image, *stylized = NULL;
    OrtTensorTypeAndShapeInfo *info;
    size_t got;
    FILE *file = opened(words[word + 2], "rb");

    if (pixels == NULL || fread(pixels, 1, size, file) != size) end("the input is too short, or too large");
    fclose(file);
    check(ort->CreateTensorWithDataAsOrtValue(
        memory, pixels, size, shape, 4, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, &image));
    check(ort->Run(session, NULL, inputs, (const OrtValue *const *)&image, 1, outputs, 1, &stylized));
    check(ort->GetTensorTypeAndShape(stylized, &info));
    check(ort->GetTensorShapeElementCount(info, &got));
    check(ort->GetTensorMutableData(stylized, &painted));
    file = opened(words[word + 3], "wb");
    if (fwrite(painted, 1, got, file) != got || fclose(file) != 0) end("the output cannot be written");
    ort->ReleaseTensorTypeAndShapeInfo(info);
    ort->ReleaseValue(stylized);
    ort->ReleaseValue(image);
    free(pixels);
  }
  return 0;
}
