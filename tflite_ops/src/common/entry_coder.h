// Codes the entries of lines: where the kept weights are, and their symbols
// (FORMAT.md, 9.3 to 9.6). One piece of code serves encoder and decoder.
#ifndef KERAS_DC_SRC_COMMON_ENTRY_CODER_H_
#define KERAS_DC_SRC_COMMON_ENTRY_CODER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "common/entry_layout.h"
#include "common/gap_model.h"
#include "common/mask_model.h"
#include "common/symbol_model.h"

namespace keras_dc {

// The entries of a line: their offsets, ascending, and their symbols,
// num_symbols() each.
struct LineEntries {
  std::vector<uint32_t> offsets;
  std::vector<uint8_t> symbols;
};

template <typename Coder>
class EntryCoder {
 public:
  // `liveness` is that of the lines; only an encoder needs to know.
  EntryCoder(const EntryLayout& layout, Coder* coder, Liveness liveness = {})
      : layout_(layout),
        coder_(coder),
        num_symbols_(layout.num_symbols()),
        liveness_(std::move(liveness)) {
    if (layout.num_kept == 0) return;
    const uint64_t num_weights = layout.num_lines * layout.line_length;
    if (layout.has_mask && layout.has_mask_model) {
      liveness_.lines.resize(static_cast<size_t>(layout.num_lines));
      liveness_.offsets.resize(static_cast<size_t>(layout.line_length));
      mask_.emplace(layout.period);
      mask_->CodeLiveness(coder, layout.num_kept, &liveness_);
    } else if (layout.has_mask) {
      gaps_.emplace(num_weights, layout.num_kept);
    }
    if (num_symbols_ == 0) return;
    alphabet_ = layout.num_centroids == 0 ? 256 : layout.num_centroids;
    symbols_.emplace(alphabet_, layout.num_centroids == 0 ? 8 : 4,
                     layout.line_length, layout.period);
    bytes_.resize(num_symbols_ - 1);
  }

  uint64_t num_coded() const { return num_coded_; }

  // Codes the next line. An encoder takes its entries, a decoder sets them.
  // False if a decoder finds what no encoder writes; then there is no going on.
  bool CodeLine(LineEntries* line) {
    bool is_valid = true;
    if (!layout_.has_mask) {
      is_valid = CodeFullLine(line);
    } else if (mask_) {
      is_valid = CodeMaskedLine(line);
    } else {
      is_valid = Coder::kIsDecoder ? DecodeGaps(line) : EncodeGaps(line);
    }
    if (symbols_) symbols_->EndLine();
    ++num_lines_;
    return is_valid;
  }

 private:
  // Room for the entries of a line; only a decoder makes it.
  void MakeRoom(LineEntries* line) const {
    if (!Coder::kIsDecoder) return;
    const auto size = static_cast<size_t>(
        std::min(layout_.line_length, layout_.num_kept - num_coded_));
    line->offsets.resize(size);
    line->symbols.resize(size * num_symbols_);
  }

  void Trim(LineEntries* line, size_t size) const {
    if (!Coder::kIsDecoder) return;
    line->offsets.resize(size);
    line->symbols.resize(size * num_symbols_);
  }

  // The sign of a float stands behind the bits of its exponent: those are what
  // neighbours share.
  static uint8_t TurnedLeft(uint8_t byte, int count) {
    return static_cast<uint8_t>(byte << count | byte >> (8 - count));
  }

  // Codes the symbols of the line's i-th entry.
  bool CodeSymbols(uint64_t offset, size_t i, LineEntries* line) {
    ++num_coded_;
    if (num_symbols_ == 0) return true;
    uint8_t* symbols = line->symbols.data() + num_symbols_ * i;
    const int turn = layout_.has_highest_plane ? 1 : 0;
    const uint32_t first =
        symbols_->Code(coder_, offset, TurnedLeft(symbols[0], turn));
    if (first >= alphabet_) return false;
    symbols[0] = TurnedLeft(static_cast<uint8_t>(first), 8 - turn);
    for (size_t j = 1; j < num_symbols_; ++j) {
      symbols[j] = static_cast<uint8_t>(
          bytes_[j - 1].Code(coder_, symbols[j - 1], symbols[j]));
    }
    return true;
  }

  bool CodeFullLine(LineEntries* line) {
    MakeRoom(line);
    if (Coder::kIsDecoder) {
      std::iota(line->offsets.begin(), line->offsets.end(), 0u);
    }
    for (size_t i = 0; i < line->offsets.size(); ++i) {
      if (!CodeSymbols(i, i, line)) return false;
    }
    return true;
  }

  bool CodeMaskedLine(LineEntries* line) {
    if (num_lines_ >= liveness_.lines.size() ||
        liveness_.lines[num_lines_] == 0) {
      Trim(line, 0);
      return true;
    }
    MakeRoom(line);
    // Copies, so that both can stay in registers from weight to weight.
    Mixture mixture = mask_->BeginLine();
    Coder coder = *coder_;
    const std::vector<uint32_t>& offsets = mask_->live_offsets();
    size_t i = 0;
    for (size_t live = 0;
         live < offsets.size() && num_coded_ < layout_.num_kept; ++live) {
      const uint32_t offset = offsets[live];
      const int expected =
          i < line->offsets.size() && line->offsets[i] == offset ? 1 : 0;
      if (mask_->Code(&coder, &mixture, live, expected) == 0) continue;
      line->offsets[i] = offset;
      *coder_ = coder;
      if (!CodeSymbols(offset, i, line)) return false;
      coder = *coder_;
      ++i;
    }
    *coder_ = coder;
    mask_->EndLine(mixture);
    Trim(line, i);
    return true;
  }

  bool EncodeGaps(LineEntries* line) {
    for (size_t i = 0; i < line->offsets.size(); ++i) {
      const uint64_t position = before_line_ + line->offsets[i];
      gaps_->Code(coder_, position - behind_last_);
      CodeSymbols(line->offsets[i], i, line);
      behind_last_ = position + 1;
    }
    before_line_ += layout_.line_length;
    return true;
  }

  bool DecodeGaps(LineEntries* line) {
    MakeRoom(line);
    const uint64_t num_weights = layout_.num_lines * layout_.line_length;
    const uint64_t end = before_line_ + layout_.line_length;
    size_t i = 0;
    while (num_coded_ < layout_.num_kept) {
      if (!has_next_) {
        next_ = behind_last_ + gaps_->Code(coder_, 0);
        if (next_ >= num_weights) return false;
        has_next_ = true;
      }
      if (next_ >= end) break;
      const uint64_t offset = next_ - before_line_;
      line->offsets[i] = static_cast<uint32_t>(offset);
      if (!CodeSymbols(offset, i, line)) return false;
      ++i;
      behind_last_ = next_ + 1;
      has_next_ = false;
    }
    before_line_ = end;
    Trim(line, i);
    return true;
  }

  EntryLayout layout_;
  Coder* coder_;
  size_t num_symbols_;
  size_t alphabet_ = 0;
  uint64_t num_coded_ = 0;
  size_t num_lines_ = 0;
  Liveness liveness_;
  std::optional<MaskModel> mask_;
  std::optional<GapModel> gaps_;
  std::optional<SymbolModel> symbols_;
  std::vector<PlaneModel> bytes_;
  // Positions in the scan of the stream: of the line's first weight, of the
  // weight behind the last entry, and of an entry that is known to come.
  uint64_t before_line_ = 0;
  uint64_t behind_last_ = 0;
  uint64_t next_ = 0;
  bool has_next_ = false;
};

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_COMMON_ENTRY_CODER_H_
