// Takes any bytes as a blob. The decoder refuses them, or its dense and sparse
// forms, its lines and its blocks agree, and the decoder for small machines
// with them, and the tensor survives encoding and decoding.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "common/format.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"
#include "decode/entry_reader.h"
#include "decode/streaming/line_blocks.h"
#include "decode/streaming/line_source.h"
#include "keras_dc/codec.h"
#include "keras_dc/decoder.h"
#include "sealed_blob.h"

namespace {

// Larger tensors only take time; so does encoding each of them anew.
constexpr int64_t kMaxFuzzedWeights = 1 << 12;
constexpr int64_t kMaxArithmeticWeights = 1 << 10;
constexpr uint8_t kEncodedOneIn = 64;

void Require(bool condition) {
  if (!condition) std::abort();
}

struct CloseBlob {
  void operator()(kdc_blob* blob) const { kdc_close(blob); }
};
using BlobPtr = std::unique_ptr<kdc_blob, CloseBlob>;

// Null if the blob is refused.
BlobPtr Open(const std::vector<uint8_t>& bytes) {
  kdc_blob* blob = nullptr;
  const int32_t status = kdc_open(bytes.data(), bytes.size(), &blob);
  Require((status == KDC_OK) == (blob != nullptr));
  return BlobPtr(blob);
}

// Writes rows, the first of them row `first`, to a dense tensor in which rows
// are `row_step` elements apart, and columns `column_step`.
void Fill(const keras_dc::SparseRows& sparse, size_t first, size_t row_step,
          size_t column_step, size_t item_size, std::vector<uint8_t>* dense) {
  for (size_t row = 0; row < static_cast<size_t>(sparse.num_rows); ++row) {
    for (size_t i = sparse.row_begin[row]; i < sparse.row_begin[row + 1]; ++i) {
      const size_t place =
          (first + row) * row_step + sparse.columns[i] * column_step;
      Require(place < dense->size() / item_size);
      std::memcpy(&(*dense)[item_size * place], sparse.ValueAt(i, item_size),
                  item_size);
    }
  }
}

void RequireEqual(const keras_dc::SparseRows& sparse,
                  const std::vector<uint8_t>& dense, size_t item_size) {
  std::vector<uint8_t> filled(dense.size(), 0);
  Fill(sparse, 0, static_cast<size_t>(sparse.num_columns), 1, item_size,
       &filled);
  Require(filled == dense);
}

// Requires that blocks of `block_entries` entries, decoded two at a time, hold
// the values of `dense`; or, if `is_valid` is false, that they are refused.
void RequireBlocksAgree(const keras_dc::ParsedBlob& blob, size_t block_entries,
                        bool is_valid, const std::vector<uint8_t>& dense) {
  keras_dc::LineBlocks blocks;
  const kdc_status status = blocks.Open(blob, block_entries);
  Require((status == KDC_OK) == is_valid);
  if (!is_valid) return;
  const kdc_blob_info& info = blocks.blob().info;
  const size_t item_size = keras_dc::ItemSize(info.dtype);
  const auto length = static_cast<size_t>(blocks.line_length());
  const size_t num_lines = blocks.first_line(blocks.num_blocks());
  std::vector<uint8_t> filled(dense.size(), 0);
  const keras_dc::LineBlocks::Tables tables = blocks.MakeTables();
  keras_dc::LineBlocks::Scratch scratch;
  keras_dc::SparseRows lines;
  for (size_t begin = 0; begin < blocks.num_blocks(); begin += 2) {
    const size_t end = std::min(begin + 2, blocks.num_blocks());
    Require(blocks.Decode(tables, begin, end, &scratch, &lines) == KDC_OK);
    Fill(lines, blocks.first_line(begin), blocks.is_by_rows() ? length : 1,
         blocks.is_by_rows() ? 1 : num_lines, item_size, &filled);
  }
  Require(filled == dense);
}

// The same for ranges of lines, on one thread and on several.
void RequireSourceAgrees(const keras_dc::ParsedBlob& blob, size_t num_entries,
                         bool is_valid, const std::vector<uint8_t>& dense) {
  const size_t item_size = keras_dc::ItemSize(blob.info.dtype);
  const auto num_columns = static_cast<size_t>(blob.matrix().columns);
  const bool by_rows = blob.is_by_rows();
  std::vector<uint8_t> filled(dense.size(), 0);
  keras_dc::LineSource source;
  keras_dc::ThreadPool pool;
  std::mutex mutex;
  kdc_status status = source.Open(blob, num_entries);
  if (status == KDC_OK) {
    status = source.ForEach(
        &pool, num_entries % 16 == 0 ? 2 : 1,
        [&](const keras_dc::SparseRows& lines, size_t first, size_t) {
          const std::lock_guard<std::mutex> lock(mutex);
          Fill(lines, first, by_rows ? num_columns : 1,
               by_rows ? 1 : num_columns, item_size, &filled);
          return KDC_OK;
        });
  }
  Require((status == KDC_OK) == is_valid);
  Require(!is_valid || filled == dense);
}

// Requires that the decoder for small machines gives the values of `dense`,
// which are less the zero point; or, if `is_valid` is false, that it refuses.
void RequireSmallAgrees(const std::vector<uint8_t>& bytes, bool is_valid,
                        int zero_point, const std::vector<uint8_t>& dense) {
  // Enough for any scales of a tensor so small.
  std::vector<uint8_t> memory(KDC_DECODER_MEMORY_BYTES +
                              sizeof(double) * kMaxFuzzedWeights);
  kdc_decoder* decoder = nullptr;
  int32_t status = kdc_decoder_open(bytes.data(), bytes.size(), memory.data(),
                                    memory.size(), &decoder);
  Require((status == KDC_OK) == (decoder != nullptr));
  std::vector<uint8_t> values(dense.size());
  if (status == KDC_OK) {
    status = kdc_decoder_decode(decoder, values.data(), values.size());
  }
  Require((status == KDC_OK) == is_valid);
  for (uint8_t& value : values) {
    value = static_cast<uint8_t>(value - zero_point);
  }
  Require(!is_valid || values == dense);
}

// Requires that the streams of the arithmetic coder, each read a line at a
// time, have the declared lines and entries inside of the tensor, or that one
// is refused.
void RequireEntriesAreInside(const keras_dc::ParsedBlob& blob, bool is_valid) {
  bool are_read = true;
  for (size_t i = 0; i < blob.entry_streams.size(); ++i) {
    keras_dc::EntryReader reader(blob, i);
    std::vector<uint8_t> items;
    while (!reader.is_done()) {
      if (reader.Next() != KDC_OK) {
        are_read = false;
        break;
      }
      for (const uint32_t offset : reader.offsets()) {
        Require(offset < blob.line_length());
      }
      items.resize(reader.item_size() * reader.offsets().size());
      reader.WriteItems(items.data());
      for (const uint8_t item : items) {
        Require(blob.info.num_centroids == 0 || item < blob.info.num_centroids);
      }
    }
  }
  Require(are_read == is_valid);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> bytes = keras_dc::SealedBlob(data, size);
  const BlobPtr opened = Open(bytes);
  if (opened == nullptr) return 0;
  kdc_blob_info info;
  Require(kdc_get_info(opened.get(), &info) == KDC_OK);
  if (info.num_weights > (info.coder == KDC_ARITHMETIC ? kMaxArithmeticWeights
                                                       : kMaxFuzzedWeights)) {
    return 0;
  }
  const size_t item_size = keras_dc::ItemSize(info.dtype);
  std::vector<uint8_t> dense(item_size * static_cast<size_t>(info.num_weights));
  const int32_t status = kdc_decode(opened.get(), dense.data(), dense.size());
  // The sparse forms are less the zero point, which only bytes have.
  for (uint8_t& byte : dense) {
    byte = static_cast<uint8_t>(byte - info.zero_point);
  }
  keras_dc::ParsedBlob blob;
  Require(keras_dc::ReadBlob(bytes.data(), bytes.size(), &blob) == KDC_OK);
  keras_dc::SparseRows sparse;
  const kdc_status sparse_status =
      keras_dc::DecodeSparse(blob, bytes.back() % 2 + 1, &sparse);
  // The dense form of an empty tensor does not look at the streams.
  if (info.num_weights > 0) Require(status == sparse_status);
  if (info.num_weights > 0) {
    const bool is_valid = status == KDC_OK;
    RequireSourceAgrees(blob, bytes.back() % 64 + 1, is_valid, dense);
    if (info.coder == KDC_ARITHMETIC) {
      RequireEntriesAreInside(blob, is_valid);
    } else {
      RequireBlocksAgree(blob, bytes.back() % 64 + 1, is_valid, dense);
      RequireSmallAgrees(bytes, is_valid, info.zero_point, dense);
    }
  }
  if (status != KDC_OK || sparse_status != KDC_OK) return 0;
  RequireEqual(sparse, dense, item_size);
  if (bytes.back() % kEncodedOneIn != 0) return 0;

  kdc_bytes* made = nullptr;
  Require(kdc_encode(dense.data(), info.dtype, info.shape, info.rank, &made) ==
          KDC_OK);
  const uint8_t* made_data = kdc_bytes_data(made);
  const std::vector<uint8_t> again(made_data, made_data + kdc_bytes_size(made));
  kdc_free_bytes(made);
  std::vector<uint8_t> back(dense.size());
  Require(kdc_decode(Open(again).get(), back.data(), back.size()) == KDC_OK);
  Require(back == dense);

  // And by the arithmetic coder.
  kdc_bytes* recoded = nullptr;
  Require(kdc_recode(again.data(), again.size(),
                     bytes.back() / kEncodedOneIn % 2, &recoded) == KDC_OK);
  const uint8_t* recoded_data = kdc_bytes_data(recoded);
  const std::vector<uint8_t> smaller(recoded_data,
                                     recoded_data + kdc_bytes_size(recoded));
  kdc_free_bytes(recoded);
  Require(smaller.size() <= again.size());
  std::fill(back.begin(), back.end(), uint8_t{0});
  Require(kdc_decode(Open(smaller).get(), back.data(), back.size()) == KDC_OK);
  Require(back == dense);
  return 0;
}
