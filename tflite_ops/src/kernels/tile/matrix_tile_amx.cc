// Compiled for AMX, and for AVX-512 with VNNI.
#include <immintrin.h>

#include "kernels/tile/int8_tile.h"
#include "kernels/tile/matrix_tile.h"

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

// Registers 0 to 3 hold the sums of kSides sets of pixels and kSets sets of
// rows, 4 and 5 pixels, 5 to 7 weights. More rows for the same pixels, which
// come from the second cache, are better than more pixels for the same rows.
constexpr size_t kRegisters = 4;
constexpr size_t SidesOf(size_t num_sets) { return num_sets > 2 ? 1 : 2; }

template <size_t kSides, size_t kSets>
void Multiply(const MatrixJob& job, const uint8_t* const* pixels, size_t step,
              const uint8_t* dense) {
  static_assert(kSides * kSets <= kRegisters);
  const size_t offset = job.step_offsets[step];
  _tile_loadd(4, pixels[0] + offset, job.pixel_stride);
  _tile_loadd(6, dense, MatrixJob::kStepBytes);
  _tile_dpbssd(0, 4, 6);
  if constexpr (kSets > 1) {
    _tile_loadd(7, dense + kMatrixBytes, MatrixJob::kStepBytes);
    _tile_dpbssd(1, 4, 7);
  }
  if constexpr (kSets > 2) {
    _tile_loadd(5, dense + 2 * kMatrixBytes, MatrixJob::kStepBytes);
    _tile_dpbssd(2, 4, 5);
  }
  if constexpr (kSets > 3) {
    _tile_loadd(6, dense + 3 * kMatrixBytes, MatrixJob::kStepBytes);
    _tile_dpbssd(3, 4, 6);
  }
  if constexpr (kSides > 1) {
    _tile_loadd(5, pixels[1] + offset, job.pixel_stride);
    _tile_dpbssd(2, 5, 6);
    if constexpr (kSets > 1) _tile_dpbssd(3, 5, 7);
  }
}

// The scales of 16 rows: as floats, and for products in 64 bits, of the even
// rows and of the odd ones.
//
// A float tells what requantize.h would give unless the product lies within
// `kFloatError` and what the first of two roundings may add of the middle of
// two integers. Then products in 64 bits are taken, with both roundings in one
// shift (see int8_tile_vnni.cc).
class RowScales {
 public:
  RowScales() = default;
  RowScales(const OutputScalingView& scaling, size_t first, size_t num_rows) {
    const size_t after = num_rows - first;
    const auto rows =
        static_cast<__mmask16>(after < kRows ? (1u << after) - 1 : 0xffffu);
    const __m512i multipliers =
        _mm512_maskz_loadu_epi32(rows, scaling.multipliers + first);
    const __m512i left =
        _mm512_maskz_loadu_epi32(rows, scaling.left_shifts + first);
    const __m512i one = _mm512_set1_epi32(1);
    // Zero has no shift; any will do.
    const __mmask16 is_zero = _mm512_testn_epi32_mask(multipliers, multipliers);
    const __m512i right = _mm512_mask_blend_epi32(
        is_zero, _mm512_maskz_loadu_epi32(rows, scaling.right_shifts + first),
        one);
    requires_more_ = (_mm512_test_epi32_mask(left, left) & ~is_zero) != 0 ||
                     _mm512_cmplt_epi32_mask(right, one) != 0;
    const __m512 exponents = _mm512_cvtepi32_ps(right);
    const __m512 ones = _mm512_set1_ps(1.0f);
    floats_ =
        _mm512_scalef_ps(_mm512_cvtepi32_ps(multipliers),
                         _mm512_sub_ps(_mm512_set1_ps(-31.0f), exponents));
    most_distance_ = _mm512_sub_ps(
        _mm512_set1_ps(0.5f - kFloatError),
        _mm512_scalef_ps(ones,
                         _mm512_sub_ps(_mm512_set1_ps(-1.0f), exponents)));
    multipliers_[0] = multipliers;
    multipliers_[1] = _mm512_srli_epi64(multipliers, 32);
    const __m512i shifts[] = {
        _mm512_and_si512(right, _mm512_set1_epi64(0xffffffff)),
        _mm512_srli_epi64(right, 32)};
    const __m512i first_half =
        _mm512_set1_epi64(scaling.rounds_once ? 0 : int64_t{1} << 30);
    for (size_t i = 0; i < 2; ++i) {
      halves_[i] = _mm512_add_epi64(
          first_half, _mm512_sllv_epi64(
                          _mm512_set1_epi64(1),
                          _mm512_add_epi64(shifts[i], _mm512_set1_epi64(30))));
    }
    shifts_[0] = _mm512_add_epi64(shifts[0], _mm512_set1_epi64(31));
    // The odd ones stay in the upper half of their 64 bits.
    shifts_[1] = _mm512_sub_epi64(shifts[1], _mm512_set1_epi64(1));
    below_ = _mm512_set1_epi64(-(int64_t{1} << 30));
    less_ = _mm512_set1_epi64(scaling.rounds_once ? 0 : int64_t{1} << 31);
  }

  // Whether some scale has another shift than one to the right.
  bool requires_more() const { return requires_more_; }

  // The product as a float, and in `largest_distance` its distance from an
  // integer if that is larger.
  __m512 Product(__m512i sums, __m512* largest_distance) const {
    const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), floats_);
    constexpr int kToNearest = 0, kLargerMagnitude = 11;
    *largest_distance = _mm512_range_ps(*largest_distance,
                                        _mm512_reduce_ps(product, kToNearest),
                                        kLargerMagnitude);
    return product;
  }
  // Whether Product() is near the middle of two integers for some row.
  bool IsNearMiddle(__m512 largest_distance) const {
    return _mm512_cmp_ps_mask(largest_distance, most_distance_, _CMP_GT_OQ) !=
           0;
  }

  __m512i Scale(__m512i sums) const {
    const __m512i even = Shift(_mm512_mul_epi32(sums, multipliers_[0]), 0);
    const __m512i odd = Shift(
        _mm512_mul_epi32(_mm512_srli_epi64(sums, 32), multipliers_[1]), 1);
    return _mm512_mask_blend_epi32(0xaaaa, even, odd);
  }

 private:
  // Of a product up to 300, in whatever way its three factors are rounded;
  // beyond, outputs are at their limits.
  static constexpr float kFloatError = 300.0f * 3.0f / (1 << 23);

  __m512i Shift(__m512i products, size_t i) const {
    const __mmask8 is_negative = _mm512_cmplt_epi64_mask(products, below_);
    const __m512i sums = _mm512_add_epi64(products, halves_[i]);
    return _mm512_srav_epi64(
        _mm512_mask_sub_epi64(sums, is_negative, sums, less_), shifts_[i]);
  }

  bool requires_more_ = false;
  __m512 floats_, most_distance_;
  __m512i multipliers_[2], halves_[2], shifts_[2], below_, less_;
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
    if (scales.requires_more()) return WriteSlowly(sums);
    const OutputScalingView& scaling = *job_.scaling;
    const __m512i zero_point =
        _mm512_set1_epi16(static_cast<int16_t>(scaling.zero_point));
    const __m512i lowest =
        _mm512_set1_epi8(static_cast<int8_t>(scaling.lowest));
    const __m512i highest =
        _mm512_set1_epi8(static_cast<int8_t>(scaling.highest));
    // Packs leave four numbers of each pixel side by side.
    const __m512i by_pixel =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (size_t i = 0; i < MatrixPixels::kSize; i += 4) {
      __m512 distance = _mm512_setzero_ps();
      __m512i scaled[4];
      for (size_t k = 0; k < 4; ++k) {
        scaled[k] = _mm512_cvt_roundps_epi32(
            scales.Product(_mm512_load_si512(sums + (i + k) * kRows),
                           &distance),
            _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
      }
      if (scales.IsNearMiddle(distance)) {
        for (size_t k = 0; k < 4; ++k) {
          scaled[k] = scales.Scale(_mm512_load_si512(sums + (i + k) * kRows));
        }
      }
      // What does not fit is limited, as `lowest` and `highest` do anyway.
      const __m512i front = _mm512_adds_epi16(
          _mm512_packs_epi32(scaled[0], scaled[1]), zero_point);
      const __m512i back = _mm512_adds_epi16(
          _mm512_packs_epi32(scaled[2], scaled[3]), zero_point);
      const __m512i bytes = _mm512_permutexvar_epi32(
          by_pixel,
          _mm512_min_epi8(
              _mm512_max_epi8(_mm512_packs_epi16(front, back), lowest),
              highest));
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

  void WriteSlowly(const int32_t* sums) const {
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

template <size_t kSides, size_t kSets>
void MultiplyAll(const MatrixJob& job, const MatrixPixels* pixels, bool spreads,
                 const RowScales* scales) {
  // A stride of 0: each pixel begins with the bias.
  const int32_t* second = job.bias + (kSets > 1 ? kRows : 0);
  _tile_loadd(0, job.bias, 0);
  _tile_loadd(1, second, 0);
  _tile_loadd(2, job.bias + (kSets > 2 ? 2 * kRows : 0), 0);
  _tile_loadd(3, kSets > 3 ? job.bias + 3 * kRows : second, 0);
  const uint8_t* sides[kSides];
  for (size_t s = 0; s < kSides; ++s) sides[s] = job.input + pixels[s].offset;
  constexpr size_t kDenseBytes = kSets * kMatrixBytes;
  const bool is_once = job.num_pixels <= SidesOf(kSets);
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
        words = Spread(job.masks + (begin + i) * kSets * kWords, kSets * kWords,
                       words, dense + i * kDenseBytes);
      }
    }
    FinishWrites();
    for (size_t i = 0; i < size; ++i) {
      Multiply<kSides, kSets>(job, sides, begin + i, dense + i * kDenseBytes);
    }
  }
  constexpr size_t kStride = kRows * sizeof(int32_t);
  _tile_stored(0, job.sums, kStride);
  _tile_stored(1, job.sums + kMatrixNumbers, kStride);
  _tile_stored(2, job.sums + 2 * kMatrixNumbers, kStride);
  _tile_stored(3, job.sums + 3 * kMatrixNumbers, kStride);
  FinishWrites();
  for (size_t i = 0; i < kSides * kSets; ++i) {
    const size_t side = kSets > 2 ? 0 : i / kSets, set = i - side * kSets;
    const int32_t* sums =
        job.sums + (kSets > 2 ? set : 2 * side + set) * kMatrixNumbers;
    WriteOutputs(job, set, pixels[side], scales, sums);
  }
}

template <size_t kSets>
void Run(const MatrixJob& job, const RowScales* scales) {
  constexpr size_t kSides = SidesOf(kSets);
  size_t p = 0;
  for (; p + kSides <= job.num_pixels; p += kSides) {
    MultiplyAll<kSides, kSets>(job, job.pixels + p, p == 0, scales);
  }
  if (p < job.num_pixels) {
    MultiplyAll<1, kSets>(job, job.pixels + p, p == 0, scales);
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
