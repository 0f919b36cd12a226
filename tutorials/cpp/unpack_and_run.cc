// Unpacks a .kdc file and runs the plain model in it, which needs none of our
// ops: unpack_and_run PACKED < INPUTS
//
// INPUTS are float32 numbers as they lie in memory; the outputs are printed.
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <vector>

#include "keras_dc/pack.h"
#include "litert_model.h"

std::vector<uint8_t> ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("no file");
  return {std::istreambuf_iterator<char>(file), {}};
}

void CheckUnpacked(int32_t status) {
  if (status != KDC_OK) throw std::runtime_error(kdc_status_message(status));
}

std::vector<uint8_t> Unpack(const std::vector<uint8_t>& packed) {
  size_t size = 0;
  CheckUnpacked(kdc_unpacked_size(packed.data(), packed.size(), &size));
  // A file of strangers may declare any size.
  constexpr size_t kMaxBytes = size_t{1} << 30;
  if (size > kMaxBytes) throw std::runtime_error("the model is too large");
  std::vector<uint8_t> model(size);
  CheckUnpacked(kdc_unpack(packed.data(), packed.size(), nullptr, 0,
                           model.data(), model.size()));
  return model;
}

int main(int argc, char** argv) try {
  if (argc != 2) throw std::invalid_argument("give the path of a packed model");
  // At first start a program does this once, and keeps the file.
  const std::vector<uint8_t> bytes = Unpack(ReadFile(argv[1]));
  LiteRtModelOfOneInput model(bytes.data(), bytes.size(), nullptr);
  std::vector<float> inputs(model.input_size());
  if (std::fread(inputs.data(), sizeof(float), inputs.size(), stdin) !=
      inputs.size()) {
    throw std::runtime_error("there are too few inputs");
  }
  for (const float output : model.Run(inputs)) std::printf("%.9g\n", output);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "unpack_and_run: %s\n", error.what());
  return 1;
}
