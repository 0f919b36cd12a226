// Prints how many bytes the kernels read of a layer's weights: see
// bytes_moved.py.
//
//   keras_dc_weight_bytes fc BLOB
//   keras_dc_weight_bytes conv BLOB HEIGHT WIDTH STRIDE valid|same
//
// at batch 1, one thread and the instruction set of this process: the bytes of
// the weights as they lie in memory, and how often they are read in an
// inference. HEIGHT and WIDTH are those of the input.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/cpu.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"
#include "kernels/conv_2d.h"
#include "kernels/fully_connected.h"

namespace {

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

void Require(kdc_status status) {
  if (status != KDC_OK) Fail(kdc_status_message(status));
}

void Print(size_t form_bytes, size_t num_readings) {
  std::printf("%zu %zu\n", form_bytes, num_readings);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv, argv + argc);
  const bool is_conv = argc == 7 && args[1] == "conv";
  if (!is_conv && !(argc == 3 && args[1] == "fc")) Fail("wrong arguments");
  std::ifstream file(args[2], std::ios::binary);
  const std::vector<uint8_t> bytes{std::istreambuf_iterator<char>(file), {}};
  keras_dc::ParsedBlob blob;
  Require(keras_dc::ReadBlob(bytes.data(), bytes.size(), &blob));
  keras_dc::SparseRows weights;
  Require(keras_dc::DecodeSparse(blob, 1, &weights));
  const keras_dc::Isa isa = keras_dc::ThisCpu().isa;
  const auto num_rows = static_cast<size_t>(weights.num_rows);
  const auto num_columns = static_cast<size_t>(weights.num_columns);
  if (!is_conv) {
    const keras_dc::FullyConnectedPlan plan(num_rows, num_columns, 1, isa, 1);
    keras_dc::FullyConnected layer;
    Require(keras_dc::FullyConnected::Pack(std::move(weights), plan, &layer));
    // A matrix meets one vector.
    Print(layer.size_bytes(), 1);
    return 0;
  }
  if (blob.info.rank != 4) Fail("the kernel of a convolution has rank 4");
  keras_dc::ConvShape shape;
  shape.batch = 1;
  const auto fill = [&](keras_dc::ConvAxis* axis, const std::string& input,
                        int64_t kernel) {
    axis->input = std::atoi(input.c_str());
    axis->kernel = kernel;
    axis->stride = std::atoi(args[5].c_str());
    if (!keras_dc::FillAxis(args[6] == "valid", axis)) Fail("no output");
  };
  fill(&shape.height, args[3], blob.info.shape[1]);
  fill(&shape.width, args[4], blob.info.shape[2]);
  const auto channels = static_cast<size_t>(blob.info.shape[3]);
  const keras_dc::ConvPlan plan(shape, num_rows, channels, isa, 1);
  keras_dc::Conv2D layer;
  Require(keras_dc::Conv2D::Pack(weights, plan, &layer));
  // Each tile of pixels meets all filters.
  Print(layer.size_bytes(), plan.grid.num_tiles());
  return 0;
}
