// Values stored by byte planes (FORMAT.md, 4), decoded in parts.
#ifndef KERAS_DC_SRC_DECODE_PLANE_PARTS_H_
#define KERAS_DC_SRC_DECODE_PLANE_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "decode/number_reader.h"
#include "decode/symbol_decoder.h"

namespace keras_dc {

// A decoder for each coded plane.
using PlaneTables = std::vector<std::optional<SymbolDecoder>>;

PlaneTables MakePlaneTables(const StoredNumbers& numbers);

// Decodes parts in any order.
class PlaneParts {
 public:
  // Checks the streams of `numbers`, which have planes, and finds where parts
  // begin in them. Part i has the numbers firsts[i] to firsts[i + 1] - 1; the
  // last element of `firsts` is `numbers.count`.
  kdc_status Open(const StoredNumbers& numbers,
                  const std::vector<size_t>& firsts);

  bool is_open() const { return !firsts_.empty(); }

  // Decodes parts [begin, end) to numbers, one behind the other.
  kdc_status Decode(const StoredNumbers& numbers, const PlaneTables& tables,
                    size_t begin, size_t end,
                    std::vector<uint8_t>* bytes) const;

 private:
  std::vector<size_t> firsts_;
  // By plane and part: the bit at which the part begins in its stream. Empty
  // for a plane that is not coded.
  std::vector<std::vector<size_t>> bits_;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_PLANE_PARTS_H_
