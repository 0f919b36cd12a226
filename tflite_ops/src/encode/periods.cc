#include "encode/periods.h"

#include <algorithm>
#include <numeric>

namespace keras_dc {
namespace {

constexpr size_t kMaxPeriod = 1024;
// Nearer neighbours are looked at in any case.
constexpr size_t kNearPeriod = 3;
constexpr size_t kNumPeriods = 3;
// Symbols are compared over as many weights.
constexpr size_t kSampleWeights = 1 << 18;

// How often two kept weights of a line lie as far from each other.
std::vector<double> MaskLikeness(const EntryDraft& draft) {
  std::vector<double> likeness(kMaxPeriod, 0);
  for (size_t line = 0; line < draft.num_lines(); ++line) {
    const size_t begin = draft.line_begin[line];
    for (size_t i = begin; i < draft.line_begin[line + 1]; ++i) {
      for (size_t j = i; j-- > begin;) {
        const size_t distance = draft.offsets[i] - draft.offsets[j];
        if (distance >= kMaxPeriod) break;
        ++likeness[distance];
      }
    }
  }
  return likeness;
}

// How alike the symbols of a line are that lie as far from each other: their
// covariance. All weights have one.
std::vector<double> SymbolLikeness(const EntryDraft& draft) {
  std::vector<double> likeness(kMaxPeriod, 0);
  const size_t length = draft.line_length;
  const size_t lines = std::min(draft.num_lines(), kSampleWeights / length + 1);
  const size_t count = lines * length;
  const auto mean = static_cast<int>(
      std::accumulate(draft.indices.begin(),
                      draft.indices.begin() + static_cast<ptrdiff_t>(count),
                      uint64_t{0}) /
      count);
  for (size_t period = 0; period < std::min(kMaxPeriod, length); ++period) {
    int64_t sum = 0;
    for (size_t line = 0; line < lines; ++line) {
      const uint8_t* symbols = &draft.indices[draft.line_begin[line]];
      for (size_t i = period; i < length; ++i) {
        sum += (symbols[i] - mean) * (symbols[i - period] - mean);
      }
    }
    likeness[period] = static_cast<double>(sum);
  }
  return likeness;
}

}  // namespace

std::vector<uint64_t> CandidatePeriods(const EntryDraft& draft) {
  const size_t most = std::min(kMaxPeriod, draft.line_length);
  if (most <= kNearPeriod + 1) return {};
  const bool is_full = draft.num_entries() == draft.num_weights();
  if (is_full && !draft.has_codebook) return {};
  const std::vector<double> likeness =
      is_full ? SymbolLikeness(draft) : MaskLikeness(draft);
  std::vector<uint64_t> order(most - kNearPeriod);
  std::iota(order.begin(), order.end(), uint64_t{kNearPeriod});
  const size_t count = std::min(kNumPeriods, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
      [&](uint64_t a, uint64_t b) {
        return likeness[a] != likeness[b] ? likeness[a] > likeness[b] : a < b;
      });
  order.resize(count);
  return order;
}

}  // namespace keras_dc
