#include "decode/plane_parts.h"

#include "common/bit_stream.h"
#include "common/return_if_error.h"
#include "decode/symbol_reader.h"

namespace keras_dc {

PlaneTables MakePlaneTables(const StoredNumbers& numbers) {
  PlaneTables tables(numbers.planes.size());
  for (size_t i = 0; i < tables.size(); ++i) {
    const CodeLengths& lengths = numbers.planes[i].lengths;
    if (!lengths.empty()) tables[i].emplace(lengths, numbers.count);
  }
  return tables;
}

kdc_status PlaneParts::Open(const StoredNumbers& numbers,
                            const std::vector<size_t>& firsts) {
  firsts_ = firsts;
  bits_.resize(numbers.planes.size());
  for (size_t i = 0; i < bits_.size(); ++i) {
    const BytePlane& plane = numbers.planes[i];
    if (plane.lengths.empty()) continue;
    KDC_RETURN_IF_ERROR(FindBits(plane.lengths, plane.streams, numbers.count,
                                 firsts, &bits_[i]));
  }
  return KDC_OK;
}

kdc_status PlaneParts::Decode(const StoredNumbers& numbers,
                              const PlaneTables& tables, size_t begin,
                              size_t end, std::vector<uint8_t>* bytes) const {
  const size_t first = firsts_[begin];
  const size_t count = firsts_[end] - first;
  std::vector<std::vector<uint8_t>> decoded(tables.size());
  std::vector<const uint8_t*> planes;
  std::vector<SymbolLane> lanes;
  for (size_t i = 0; i < tables.size(); ++i) {
    const BytePlane& plane = numbers.planes[i];
    if (!tables[i]) {
      planes.push_back(plane.streams[0].bytes + first);
      continue;
    }
    decoded[i].resize(count);
    lanes.clear();
    for (size_t part = begin; part < end; ++part) {
      AddLanes(plane.streams, numbers.count, firsts_[part], firsts_[part + 1],
               bits_[i][part], decoded[i].data() + (firsts_[part] - first),
               &lanes);
    }
    KDC_RETURN_IF_ERROR(tables[i]->Run(&lanes));
    planes.push_back(decoded[i].data());
  }
  bytes->resize(count * numbers.item_size);
  JoinPlanes(planes, count, bytes->data());
  return KDC_OK;
}

}  // namespace keras_dc
