#include "decode/recipe.h"

#include "common/bit_stream.h"
#include "common/format.h"
#include "common/huffman.h"
#include "common/return_if_error.h"
#include "common/value_index.h"
#include "decode/blob_reader.h"
#include "decode/decoder.h"

namespace keras_dc {
namespace {

// Where the numbers of a blob begin: FORMAT.md, 3.
size_t NumbersBegin(const uint8_t* blob, size_t size,
                    const ParsedBlob& parsed) {
  ByteReader reader(blob, size);
  reader.ReadBytes(kMagicBytes + 3);
  for (int i = 0; i < parsed.info.rank; ++i) reader.ReadVarint();
  if (parsed.info.gap_bits != 0) {
    reader.ReadVarint();
    reader.ReadVarint();
  }
  if (parsed.info.num_centroids != 0) reader.ReadByte();
  return reader.position();
}

// The order of the codebook, if it is not the usual one.
kdc_status AddOrder(const ParsedBlob& blob, std::vector<uint8_t>* recipe) {
  SparseRows rows;
  KDC_RETURN_IF_ERROR(DecodeUnscaled(blob, 1, &rows));
  const size_t item_size = ItemSize(blob.info.dtype);
  std::vector<uint32_t> values(rows.codebook.size() / item_size);
  for (size_t i = 0; i < values.size(); ++i) {
    for (size_t k = 0; k < item_size; ++k) {
      values[i] |= static_cast<uint32_t>(rows.codebook[item_size * i + k])
                   << (8 * k);
    }
  }
  std::vector<size_t> counts(values.size(), 0);
  for (const uint8_t index : rows.indices) ++counts[index];
  const std::vector<size_t> order = OrderByFrequency(values, counts);
  std::vector<uint8_t> places(order.size());
  bool is_usual = true;
  for (size_t i = 0; i < order.size(); ++i) {
    // A value that no weight has could not be found again.
    if (counts[i] == 0) return KDC_INVALID_ARGUMENT;
    places[order[i]] = static_cast<uint8_t>(i);
    is_usual = is_usual && order[i] == i;
  }
  recipe->push_back(is_usual ? 0 : 1);
  if (!is_usual) recipe->insert(recipe->end(), places.begin(), places.end());
  return KDC_OK;
}

void AddPlanes(const StoredNumbers& numbers, std::vector<uint8_t>* recipe) {
  if (numbers.planes.empty()) return;
  const size_t place = recipe->size();
  recipe->push_back(0);
  for (size_t plane = 0; plane < numbers.planes.size(); ++plane) {
    const CodeLengths& lengths = numbers.planes[plane].lengths;
    if (lengths.empty()) continue;
    (*recipe)[place] = static_cast<uint8_t>((*recipe)[place] | 1u << plane);
    WriteCodeLengths(lengths, recipe);
  }
}

}  // namespace

kdc_status MakeRecipe(const uint8_t* blob, size_t size, bool is_by_index,
                      std::vector<uint8_t>* recipe) {
  ParsedBlob parsed;
  if (ReadBlob(blob, size, &parsed) != KDC_OK || parsed.is_arithmetic() ||
      parsed.info.zero_point != 0) {
    return KDC_INVALID_ARGUMENT;
  }
  const bool has_codebook = parsed.info.num_centroids != 0;
  if (is_by_index ? !has_codebook : parsed.info.scale_axis != KDC_NO_SCALE) {
    return KDC_INVALID_ARGUMENT;
  }
  recipe->assign(blob + kMagicBytes, blob + kMagicBytes + 3);
  if (is_by_index) {
    recipe->push_back(static_cast<uint8_t>(parsed.info.num_centroids - 1));
    const auto numbers = static_cast<size_t>(parsed.info.codebook_bytes +
                                             parsed.info.scale_bytes);
    WriteVarint(numbers, recipe);
    const uint8_t* begin = blob + NumbersBegin(blob, size, parsed);
    recipe->insert(recipe->end(), begin, begin + numbers);
  } else {
    if (has_codebook) KDC_RETURN_IF_ERROR(AddOrder(parsed, recipe));
    const ByteRange& classes = parsed.line_classes;
    if (classes.size != 0) {
      recipe->insert(recipe->end(), classes.bytes,
                     classes.bytes + classes.size);
    }
    AddPlanes(parsed.stored_values, recipe);
    if (classes.size != 0) AddPlanes(parsed.second_values, recipe);
  }
  if (!parsed.index_lengths.empty()) {
    WriteCodeLengths(parsed.index_lengths, recipe);
  }
  if (!parsed.gap_lengths.empty()) WriteCodeLengths(parsed.gap_lengths, recipe);
  return KDC_OK;
}

}  // namespace keras_dc
