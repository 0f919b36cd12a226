// Any bytes, as a blob: the decoder refuses them, or its two forms agree and
// the tensor survives another round.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "decoder.h"
#include "format.h"
#include "keras_dc/codec.h"
#include "sealed_blob.h"

namespace {

// Larger tensors only cost time, and so does encoding every one anew.
constexpr int64_t kMaxFuzzedWeights = 1 << 12;
constexpr int64_t kMaxArithmeticWeights = 1 << 8;
constexpr uint8_t kEncodedOneIn = 64;

void Require(bool condition) {
  if (!condition) std::abort();
}

void RequireEqual(const keras_dc::SparseTensor& sparse,
                  const std::vector<uint8_t>& dense, size_t item_size) {
  std::vector<uint8_t> filled(dense.size(), 0);
  const auto columns = static_cast<size_t>(sparse.num_columns);
  for (size_t row = 0; row < static_cast<size_t>(sparse.num_rows); ++row) {
    for (size_t i = sparse.row_begin[row]; i < sparse.row_begin[row + 1]; ++i) {
      const uint8_t* value =
          sparse.values.empty()
              ? &sparse.codebook[item_size * sparse.indices[i]]
              : &sparse.values[item_size * i];
      std::memcpy(&filled[item_size * (row * columns + sparse.columns[i])],
                  value, item_size);
    }
  }
  Require(filled == dense);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> blob = keras_dc::SealedBlob(data, size);
  kdc_blob_info info;
  if (kdc_inspect(blob.data(), blob.size(), &info) != KDC_OK ||
      info.num_weights > (info.coder == KDC_ARITHMETIC ? kMaxArithmeticWeights
                                                       : kMaxFuzzedWeights)) {
    return 0;
  }
  const size_t item_size = keras_dc::ItemSize(info.dtype);
  std::vector<uint8_t> dense(item_size * static_cast<size_t>(info.num_weights));
  const int32_t status =
      kdc_decode(blob.data(), blob.size(), dense.data(), dense.size());
  keras_dc::SparseTensor sparse;
  const kdc_status sparse_status =
      keras_dc::DecodeSparse(blob.data(), blob.size(), &sparse);
  // An empty tensor has no streams to find fault with in the dense form.
  if (info.num_weights > 0) Require(status == sparse_status);
  if (status != KDC_OK || sparse_status != KDC_OK) return 0;
  RequireEqual(sparse, dense, item_size);
  if (blob.back() % kEncodedOneIn != 0) return 0;

  std::vector<uint8_t> again(
      kdc_encode_bound(info.num_weights, info.dtype, info.rank));
  size_t again_size = 0;
  Require(kdc_encode(dense.data(), info.dtype, info.shape, info.rank,
                     again.data(), again.size(), &again_size) == KDC_OK);
  std::vector<uint8_t> back(dense.size());
  Require(kdc_decode(again.data(), again_size, back.data(), back.size()) ==
          KDC_OK);
  Require(back == dense);
  return 0;
}
