// Runs an ONNX file on raw images in ONNX Runtime: arm64 MODEL [HEIGHT WIDTH INPUT OUTPUT] ...
// INPUT and OUTPUT are files of RGBA bytes. ort_arm64.py compiles and calls this program.
#include <stdio.h>
#include <stdlib.h>

#include "onnxruntime_c_api.h"

static const OrtApi *ort;

static _Noreturn void fail(const char *reason) {
  fprintf(stderr, "error: %s\n", reason);
  exit(1);
}

static void check(OrtStatus *status) {
  if (status != NULL) fail(ort->GetErrorMessage(status));
}

static FILE *open_file(const char *path, const char *mode) {
  FILE *file = fopen(path, mode);
  if (file == NULL) fail(path);
  return file;
}

int main(int argc, char **argv) {
  const char *inputs[] = {"image"}, *outputs[] = {"stylized"};
  OrtEnv *env;
  OrtSessionOptions *options;
  OrtSession *session;
  OrtMemoryInfo *memory;

  ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (ort == NULL || argc < 2) fail("MODEL is missing, or ONNX Runtime is older than its headers");
  check(ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "impasto", &env));
  check(ort->CreateSessionOptions(&options));
  check(ort->SetIntraOpNumThreads(options, 1));
  check(ort->CreateSession(env, argv[1], options, &session));
  check(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
  for (int i = 2; i + 3 < argc; i += 4) {
    const int64_t shape[] = {1, atoll(argv[i]), atoll(argv[i + 1]), 4};
    const size_t size = (size_t)(shape[1] * shape[2] * 4);
    unsigned char *pixels = malloc(size);
    void *output;
    OrtValue *image, *stylized = NULL;
    OrtTensorTypeAndShapeInfo *info;
    size_t count;
    FILE *file = open_file(argv[i + 2], "rb");

    if (pixels == NULL || fread(pixels, 1, size, file) != size) fail("an input cannot be read, or is too short");
    fclose(file);
    check(ort->CreateTensorWithDataAsOrtValue(
        memory, pixels, size, shape, 4, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, &image));
    check(ort->Run(session, NULL, inputs, (const OrtValue *const *)&image, 1, outputs, 1, &stylized));
    check(ort->GetTensorTypeAndShape(stylized, &info));
    check(ort->GetTensorShapeElementCount(info, &count));
    check(ort->GetTensorMutableData(stylized, &output));
    file = open_file(argv[i + 3], "wb");
    if (fwrite(output, 1, count, file) != count || fclose(file) != 0) fail("an output cannot be written");
    ort->ReleaseTensorTypeAndShapeInfo(info);
    ort->ReleaseValue(stylized);
    ort->ReleaseValue(image);
    free(pixels);
  }
  return 0;
}
