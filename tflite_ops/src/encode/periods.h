// After how many weights the entries of a line may repeat (FORMAT.md, 9).
#ifndef KERAS_DC_SRC_ENCODE_PERIODS_H_
#define KERAS_DC_SRC_ENCODE_PERIODS_H_

#include <cstdint>
#include <vector>

#include "encode/entry_writer.h"

namespace keras_dc {

// The few periods that are most likely; none if lines are too short to have
// one.
std::vector<uint64_t> CandidatePeriods(const EntryDraft& draft);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_ENCODE_PERIODS_H_
