// Compiled for AMX, and for AVX-512 with VNNI.
#include <immintrin.h>

#include "kernels/tile/int8_tile.h"
#include "kernels/tile/matrix_tile.h"
#include "kernels/tile/requantize_avx512.h"

namespace keras_dc {
namespace {

constexpr size_t kRows = MatrixJob::kRows;
constexpr size_t kWords = MatrixJob::kWords;
constexpr size_t kMatrixBytes = kRows * MatrixJob::kStepBytes;
constexpr size_t kMatrixNumbers = kRows * MatrixPixels::kSize;

// What LDTILECFG reads: 16 rows of 64 bytes for all registers.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfig kConfig;

// To be put between what the compiler sees of memory and what instructions for
// matrices do to it, which it may not know.
inline void FinishWrites() { __asm__ volatile("" ::: "memory"); }

// Makes the weights of a step dense: word w of row r becomes number r of line
// w. Returns where the words of the next step begin.
// Not inline, as what writes outputs: the loops below are many.
[[gnu::noinline]] const uint32_t* Spread(const uint16_t* masks,
                                         size_t num_masks,
                                         const uint32_t* words,
                                         uint8_t* dense) {
  for (size_t w = 0; w < num_masks; w += 4) {
    uint64_t four;
    __builtin_memcpy(&four, masks + w, sizeof(four));
    // None of these waits for the one before.
    const size_t counts[] = {
        0, static_cast<size_t>(_mm_popcnt_u64(four & 0xffff)),
        static_cast<size_t>(_mm_popcnt_u64(four & 0xffffffff)),
        static_cast<size_t>(_mm_popcnt_u64(four & 0xffffffffffff))};
    for (size_t i = 0; i < 4; ++i) {
      _mm512_store_si512(
          dense + (w + i) * MatrixJob::kStepBytes,
          _mm512_maskz_expandloadu_epi32(masks[w + i], words + counts[i]));
    }
    words += _mm_popcnt_u64(four);
  }
  return words;
}

// Registers 0 to 3 hold the sums of kPixelSets sets of pixels and kRowSets sets
// of rows, 4 and 5 pixels, 5 to 7 weights. More rows for the same pixels, which
// come from the second cache, are better than more pixels for the same rows.
constexpr size_t kRegisters = 4;
constexpr size_t PixelSetsOf(size_t num_row_sets) {
  return num_row_sets > 2 ? 1 : 2;
}

template <size_t kPixelSets, size_t kRowSets>
void Multiply(const MatrixJob& job, const uint8_t* const* pixels, size_t step,
              const uint8_t* dense) {
  static_assert(kPixelSets * kRowSets <= kRegisters);
  const size_t offset = job.step_offsets[step];
  _tile_loadd(4, pixels[0] + offset, job.pixel_stride);
  _tile_loadd(6, dense, MatrixJob::kStepBytes);
  _tile_dpbssd(0, 4, 6);
  if constexpr (kRowSets > 1) {
    _tile_loadd(7, dense + kMatrixBytes, MatrixJob::kStepBytes);
    _tile_dpbssd(1, 4, 7);
  }
  if constexpr (kRowSets > 2) {
    _tile_loadd(5, dense + 2 * kMatrixBytes, MatrixJob::kStepBytes);
    _tile_dpbssd(2, 4, 5);
  }
  if constexpr (kRowSets > 3) {
    _tile_loadd(6, dense + 3 * kMatrixBytes, MatrixJob::kStepBytes);
    _tile_dpbssd(3, 4, 6);
  }
  if constexpr (kPixelSets > 1) {
    _tile_loadd(5, pixels[1] + offset, job.pixel_stride);
    _tile_dpbssd(2, 5, 6);
    if constexpr (kRowSets > 1) _tile_dpbssd(3, 5, 7);
  }
}

// The scales of 16 rows: as floats, and for products in 64 bits, of the even
// rows and of the odd ones.
class RowScales {
 public:
  RowScales() = default;
  RowScales(const OutputScalingView& scaling, size_t first, size_t num_rows)
      : rounding_(scaling.rounds_once) {
    const size_t left = num_rows - first;
    const auto rows =
        static_cast<__mmask16>(left < kRows ? (1u << left) - 1 : 0xffffu);
    const __m512i multipliers =
        _mm512_maskz_loadu_epi32(rows, scaling.multipliers + first);
    const __m512i left_shifts =
        _mm512_maskz_loadu_epi32(rows, scaling.left_shifts + first);
    const __m512i one = _mm512_set1_epi32(1);
    // Zero has no shift; any will do.
    const __mmask16 is_zero = _mm512_testn_epi32_mask(multipliers, multipliers);
    const __m512i right_shifts = _mm512_mask_blend_epi32(
        is_zero, _mm512_maskz_loadu_epi32(rows, scaling.right_shifts + first),
        one);
    shift_right_ =
        (_mm512_test_epi32_mask(left_shifts, left_shifts) & ~is_zero) == 0 &&
        _mm512_cmplt_epi32_mask(right_shifts, one) == 0;
    floats_ = FloatScales(multipliers, right_shifts, scaling.rounds_once);
    const __m512i shifts[] = {
        _mm512_and_si512(right_shifts, _mm512_set1_epi64(0xffffffff)),
        _mm512_srli_epi64(right_shifts, 32)};
    multipliers_[0] = multipliers;
    multipliers_[1] = _mm512_srli_epi64(multipliers, 32);
    halves_[0] = rounding_.Halves(shifts[0]);
    halves_[1] = rounding_.Halves(shifts[1]);
    shifts_[0] = _mm512_add_epi64(shifts[0], _mm512_set1_epi64(31));
    // The odd ones stay in the upper half of their 64 bits.
    shifts_[1] = _mm512_sub_epi64(shifts[1], _mm512_set1_epi64(1));
  }

  // Whether all scales shift to the right. Only then can they be used.
  bool shift_right() const { return shift_right_; }

  // scaled[i] = sums[i] times the scales, for four pixels.
  void Scale(const int32_t* sums, __m512i scaled[4]) const {
    __m512 distance = _mm512_setzero_ps();
    for (size_t i = 0; i < 4; ++i) {
      scaled[i] = floats_.Scale(_mm512_load_si512(sums + i * kRows), &distance);
    }
    if (FloatScales::IsSure(distance)) return;
    for (size_t i = 0; i < 4; ++i) {
      scaled[i] = ScaleExactly(_mm512_load_si512(sums + i * kRows));
    }
  }

 private:
  __m512i ScaleExactly(__m512i sums) const {
    const __m512i even = rounding_.Shift(
        _mm512_mul_epi32(sums, multipliers_[0]), halves_[0], shifts_[0]);
    const __m512i odd = rounding_.Shift(
        _mm512_mul_epi32(_mm512_srli_epi64(sums, 32), multipliers_[1]),
        halves_[1], shifts_[1]);
    return _mm512_mask_blend_epi32(0xaaaa, even, odd);
  }

  bool shift_right_ = false;
  ProductRounding rounding_{false};
  FloatScales floats_;
  __m512i multipliers_[2], halves_[2], shifts_[2];
};

// Where the outputs of 16 pixels and 16 rows go.
class Outputs {
 public:
  Outputs(const MatrixJob& job, size_t set, const MatrixPixels& pixels)
      : job_(job), first_row_(set * kRows), pixels_(pixels.outputs) {
    const size_t left = job.num_rows - first_row_;
    num_rows_ = left < kRows ? left : kRows;
    rows_ = static_cast<__mmask16>((1u << num_rows_) - 1);
  }

  void WriteSums(const int32_t* sums) const {
    auto* output = static_cast<uint8_t*>(job_.output);
    for (size_t i = 0; i < MatrixPixels::kSize; ++i) {
      if (pixels_[i] < 0) continue;
      _mm512_mask_storeu_epi32(output + Place(i) * sizeof(int32_t), rows_,
                               _mm512_load_si512(sums + i * kRows));
    }
  }

  void Write(const RowScales& scales, const int32_t* sums) const {
    if (!scales.shift_right()) return WriteOneByOne(sums);
    const ByteLimits limits(*job_.scaling);
    const __m512i by_pixel =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (size_t i = 0; i < MatrixPixels::kSize; i += 4) {
      __m512i scaled[4];
      scales.Scale(sums + i * kRows, scaled);
      const __m512i bytes =
          _mm512_permutexvar_epi32(by_pixel, limits.Pack(scaled));
      WriteBytes(i, _mm512_castsi512_si128(bytes));
      WriteBytes(i + 1, _mm512_extracti32x4_epi32(bytes, 1));
      WriteBytes(i + 2, _mm512_extracti32x4_epi32(bytes, 2));
      WriteBytes(i + 3, _mm512_extracti32x4_epi32(bytes, 3));
    }
  }

 private:
  size_t Place(size_t i) const {
    return static_cast<size_t>(pixels_[i]) * job_.num_filters + first_row_;
  }

  void WriteBytes(size_t i, __m128i bytes) const {
    if (pixels_[i] < 0) return;
    int8_t* output = static_cast<int8_t*>(job_.output) + Place(i);
    if (num_rows_ == kRows) {
      __builtin_memcpy(output, &bytes, sizeof(bytes));
    } else {
      _mm_mask_storeu_epi8(output, rows_, bytes);
    }
  }

  void WriteOneByOne(const int32_t* sums) const {
    const OutputScalingView scaling = RowsFrom(*job_.scaling, first_row_);
    for (size_t i = 0; i < MatrixPixels::kSize; ++i) {
      if (pixels_[i] < 0) continue;
      job_.requantize(scaling, num_rows_, sums + i * kRows,
                      static_cast<int8_t*>(job_.output) + Place(i));
    }
  }

  const MatrixJob& job_;
  size_t first_row_, num_rows_;
  __mmask16 rows_;
  const int32_t* pixels_;
};

[[gnu::noinline]] void WriteOutputs(const MatrixJob& job, size_t set,
                                    const MatrixPixels& pixels,
                                    const RowScales* scales,
                                    const int32_t* sums) {
  const Outputs outputs(job, set, pixels);
  if (job.scaling == nullptr) {
    outputs.WriteSums(sums);
  } else {
    outputs.Write(scales[set], sums);
  }
}

// Outputs of the next sets of pixels. `spreads`: the weights are not dense yet.
template <size_t kPixelSets, size_t kRowSets>
void Compute(const MatrixJob& job, const MatrixPixels* pixels, bool spreads,
             const RowScales* scales) {
  // A stride of 0: each pixel begins with the bias.
  const int32_t* second = job.bias + (kRowSets > 1 ? kRows : 0);
  _tile_loadd(0, job.bias, 0);
  _tile_loadd(1, second, 0);
  _tile_loadd(2, job.bias + (kRowSets > 2 ? 2 * kRows : 0), 0);
  _tile_loadd(3, kRowSets > 3 ? job.bias + 3 * kRows : second, 0);
  const uint8_t* inputs[kPixelSets];
  for (size_t s = 0; s < kPixelSets; ++s)
    inputs[s] = job.input + pixels[s].offset;
  constexpr size_t kDenseBytes = kRowSets * kMatrixBytes;
  const bool is_once = job.num_pixels <= PixelSetsOf(kRowSets);
  const uint32_t* words = job.words;
  for (size_t begin = 0; begin < job.num_steps;
       begin += MatrixJob::kStepsAhead) {
    const size_t left = job.num_steps - begin;
    const size_t size =
        left < MatrixJob::kStepsAhead ? left : MatrixJob::kStepsAhead;
    uint8_t* dense = job.dense + (is_once ? 0 : begin) * kDenseBytes;
    FinishWrites();
    if (spreads) {
      for (size_t i = 0; i < size; ++i) {
        words = Spread(job.masks + (begin + i) * kRowSets * kWords,
                       kRowSets * kWords, words, dense + i * kDenseBytes);
      }
    }
    FinishWrites();
    for (size_t i = 0; i < size; ++i) {
      Multiply<kPixelSets, kRowSets>(job, inputs, begin + i,
                                     dense + i * kDenseBytes);
    }
  }
  constexpr size_t kStride = kRows * sizeof(int32_t);
  _tile_stored(0, job.sums, kStride);
  _tile_stored(1, job.sums + kMatrixNumbers, kStride);
  _tile_stored(2, job.sums + 2 * kMatrixNumbers, kStride);
  _tile_stored(3, job.sums + 3 * kMatrixNumbers, kStride);
  FinishWrites();
  for (size_t p = 0; p < kPixelSets; ++p) {
    for (size_t set = 0; set < kRowSets; ++set) {
      const size_t place = kPixelSets > 1 ? 2 * p + set : set;
      WriteOutputs(job, set, pixels[p], scales,
                   job.sums + place * kMatrixNumbers);
    }
  }
}

template <size_t kRowSets>
void Run(const MatrixJob& job, const RowScales* scales) {
  constexpr size_t kPixelSets = PixelSetsOf(kRowSets);
  size_t p = 0;
  for (; p + kPixelSets <= job.num_pixels; p += kPixelSets) {
    Compute<kPixelSets, kRowSets>(job, job.pixels + p, p == 0, scales);
  }
  if (p < job.num_pixels) {
    Compute<1, kRowSets>(job, job.pixels + p, p == 0, scales);
  }
}

}  // namespace

void RunMatrixAmx(const MatrixJob& job) {
  RowScales scales[kRegisters];
  const size_t num_sets = (job.num_rows + kRows - 1) / kRows;
  for (size_t set = 0; job.scaling != nullptr && set < num_sets; ++set) {
    scales[set] = RowScales(*job.scaling, set * kRows, job.num_rows);
  }
  _tile_loadconfig(&kConfig);
  switch (num_sets) {
    case 1:
      Run<1>(job, scales);
      break;
    case 2:
      Run<2>(job, scales);
      break;
    case 3:
      Run<3>(job, scales);
      break;
    default:
      Run<4>(job, scales);
  }
  _tile_release();
}

}  // namespace keras_dc
