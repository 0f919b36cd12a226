// Maps a compressed .tflite file and runs it: run_model MODEL < INPUTS
//
// INPUTS are float32 numbers as they lie in memory; the outputs are printed.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <vector>

#include "litert_model.h"

// libkeras_dc's delegate, as every TFLite runtime knows it by name.
extern "C" {
void* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                    void (*report_error)(const char*));
void tflite_plugin_destroy_delegate(void* delegate);
}

// Gives LiteRT the ops of keras_dc.
LiteRtStatus MakeDelegate(void*, LiteRtEnvironment, LiteRtAccelerator,
                          LiteRtOptions, LiteRtDelegateWrapper* wrapper) {
  void* delegate = tflite_plugin_create_delegate(nullptr, nullptr, 0, nullptr);
  if (delegate == nullptr) return 1;
  return LiteRtWrapDelegate(delegate, tflite_plugin_destroy_delegate, wrapper);
}

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument("give the path of a model");
  const int file = open(argv[1], O_RDONLY);
  struct stat info;
  if (file < 0 || fstat(file, &info) != 0) throw std::runtime_error("no file");
  const auto size = static_cast<size_t>(info.st_size);
  // Nothing is copied: weights stay compressed in the page cache.
  void* bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (bytes == MAP_FAILED) throw std::runtime_error("the file is not mapped");

  {
    LiteRtModelOfOneInput model(bytes, size, MakeDelegate);
    std::vector<float> inputs(model.input_size());
    if (std::fread(inputs.data(), sizeof(float), inputs.size(), stdin) !=
        inputs.size()) {
      throw std::runtime_error("there are too few inputs");
    }
    for (const float output : model.Run(inputs)) std::printf("%.9g\n", output);
  }
  munmap(bytes, size);
  close(file);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "run_model: %s\n", error.what());
  return 1;
}
