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

#include "keras_dc/litert.h"
#include "litert_model.h"

// Gives LiteRT the ops of keras_dc.
const char* AddOps(LiteRtEnvironment environment) {
  return kdc_add_to_litert(environment, nullptr, 0);
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
    LiteRtModelOfOneInput model(bytes, size, AddOps);
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
