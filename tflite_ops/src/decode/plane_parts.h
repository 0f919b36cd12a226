// Values by byte planes, decoded in parts (FORMAT.md, 4).
#ifndef KERAS_DC_SRC_DECODE_PLANE_PARTS_H_
#define KERAS_DC_SRC_DECODE_PLANE_PARTS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "decode/number_reader.h"
#include "decode/symbol_decoder.h"

namespace keras_dc {

// The codes of the planes that have one, ready to decode.
using PlaneTables = std::vector<std::optional<SymbolDecoder>>;

PlaneTables MakePlaneTables(const StoredNumbers& numbers);

// Decodes any parts.
class PlaneParts {
 public:
  // Checks the streams of `numbers`, which have planes, and finds where in them
  // the parts begin: at `firsts`, the last of which is the number of numbers.
  kdc_status Open(const StoredNumbers& numbers,
                  const std::vector<size_t>& firsts);

  bool is_open() const { return !firsts_.empty(); }

  // Decodes parts [begin, end) to numbers, one behind the other.
  kdc_status Decode(const StoredNumbers& numbers, const PlaneTables& tables,
                    size_t begin, size_t end,
                    std::vector<uint8_t>* bytes) const;

 private:
  std::vector<size_t> firsts_;
  // By plane and part; empty for a plane that is not coded.
  std::vector<std::vector<size_t>> bits_;
};

// Decodes one part after the other, of planes of one stream each.
class PlaneReader {
 public:
  // `numbers` outlive this.
  explicit PlaneReader(const StoredNumbers& numbers);

  kdc_status Next(size_t count, std::vector<uint8_t>* bytes);

  // Whether all streams end here.
  bool AtCleanEnd() const;

 private:
  const StoredNumbers& numbers_;
  PlaneTables tables_;
  std::vector<std::vector<SymbolLane>> lanes_;  // one of each plane
  size_t num_read_ = 0;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_DECODE_PLANE_PARTS_H_
