// Compiled for AVX2: vpmaddubsw multiplies unsigned inputs by signed weights
// and adds two products in 16 bits, which pairs of small weights never
// overflow; vpmaddwd adds two of these sums.
#include "kernels/tile/int8_tile.h"
#include "kernels/tile/transpose_avx.h"

namespace keras_dc {
namespace {

// round(round(sums * 2^left * multiplier / 2^31) / 2^right), see requantize.h.
inline __m256i MultiplyByScales(__m256i sums, __m256i multipliers, __m256i left,
                                __m256i right) {
  const __m256i half = _mm256_set1_epi64x(int64_t{1} << 30);
  const __m256i x = _mm256_sllv_epi32(sums, left);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, multipliers), half);
  const __m256i odd =
      _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32),
                                        _mm256_srli_epi64(multipliers, 32)),
                       half);
  const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31),
                                          _mm256_slli_epi64(odd, 1), 0xaa);
  const __m256i one = _mm256_set1_epi32(1);
  const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
  // Comparisons and signs are -1 where they hold.
  const __m256i threshold =
      _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_srai_epi32(high, 31));
  const __m256i is_up =
      _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), threshold);
  return _mm256_sub_epi32(_mm256_srav_epi32(high, right), is_up);
}

// round(sums * 2^(left - right) * multipliers / 2^31), see requantize.h.
inline __m256i MultiplyByScalesOnce(__m256i sums, __m256i multipliers,
                                    __m256i left, __m256i right) {
  const __m256i shift =
      _mm256_add_epi32(_mm256_sub_epi32(_mm256_set1_epi32(31), left), right);
  // There is no shift that keeps the sign: 2^63 is added before it.
  const auto scale = [](__m256i a, __m256i b, __m256i by) {
    const __m256i one = _mm256_set1_epi64x(1);
    const __m256i half = _mm256_sllv_epi64(one, _mm256_sub_epi64(by, one));
    const __m256i sign = _mm256_set1_epi64x(INT64_MIN);
    const __m256i product =
        _mm256_xor_si256(_mm256_add_epi64(_mm256_mul_epi32(a, b), half), sign);
    return _mm256_sub_epi64(_mm256_srlv_epi64(product, by),
                            _mm256_srlv_epi64(sign, by));
  };
  const __m256i even = scale(sums, multipliers,
                             _mm256_and_si256(shift, _mm256_set1_epi64x(0xff)));
  const __m256i odd =
      scale(_mm256_srli_epi64(sums, 32), _mm256_srli_epi64(multipliers, 32),
            _mm256_srli_epi64(shift, 32));
  return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}

void RequantizeAvx2(const OutputScalingView& scaling, size_t num_rows,
                    const void* sums, int8_t* outputs) {
  const __m256i lowest = _mm256_set1_epi32(scaling.lowest - scaling.zero_point);
  const __m256i highest =
      _mm256_set1_epi32(scaling.highest - scaling.zero_point);
  const __m256i zero_point = _mm256_set1_epi32(scaling.zero_point);
  const auto load = [](const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
  };
  const auto* from = static_cast<const uint8_t*>(sums);
  size_t r = 0;
  for (; r + 8 <= num_rows; r += 8) {
    const __m256i sum = load(from + r * sizeof(int32_t));
    const __m256i multiplier = load(scaling.multipliers + r);
    const __m256i left_shift = load(scaling.left_shifts + r);
    const __m256i right_shift = load(scaling.right_shifts + r);
    const __m256i scaled =
        scaling.rounds_once
            ? MultiplyByScalesOnce(sum, multiplier, left_shift, right_shift)
            : MultiplyByScales(sum, multiplier, left_shift, right_shift);
    const __m256i clamped = _mm256_add_epi32(
        _mm256_min_epi32(_mm256_max_epi32(scaled, lowest), highest),
        zero_point);
    // The lowest byte of each number.
    const __m256i picked =
        _mm256_shuffle_epi8(clamped, _mm256_set1_epi32(0x0c080400));
    const int halves[] = {_mm256_extract_epi32(picked, 0),
                          _mm256_extract_epi32(picked, 4)};
    __builtin_memcpy(outputs + r, halves, sizeof(halves));
  }
  if (r == num_rows) return;
  RequantizePortable(RowsFrom(scaling, r), num_rows - r,
                     from + r * sizeof(int32_t), outputs + r);
}

struct Simd {
  using Vector = __m256i;
  static constexpr size_t kLanes = 8;
  // The other ones of 16 registers hold the weight, ones and products.
  static constexpr size_t kMaxOutputs = 12;
  static constexpr size_t kSide = 8;
  static constexpr int32_t kInputOffset = 128;
  static constexpr bool kNeedsSmallPairs = true;
  static constexpr Requantize RequantizeRows = RequantizeAvx2;

  static Vector Load(const float* from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  }
  static void Store(float* to, Vector v) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), v);
  }
  static Vector Broadcast(const float* value) {
    return _mm256_castps_si256(_mm256_set1_ps(*value));
  }
  static Vector MulAdd(Vector weights, Vector inputs, Vector sums) {
    return _mm256_add_epi32(
        sums, _mm256_madd_epi16(_mm256_maddubs_epi16(inputs, weights),
                                _mm256_set1_epi16(1)));
  }
  // Adds 128 to each int8 number.
  static __m256 AsUnsigned(__m256 words) {
    return _mm256_xor_ps(words, _mm256_castsi256_ps(_mm256_set1_epi8(-128)));
  }
  static Vector GatherOne(const float* const* pixels, size_t channel) {
    alignas(32) float lanes[kLanes];
    for (size_t l = 0; l < kLanes; ++l) {
      __builtin_memcpy(lanes + l, pixels[l] + channel, sizeof(float));
    }
    return _mm256_castps_si256(AsUnsigned(_mm256_load_ps(lanes)));
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector*) {
    __m256 rows[8];
    for (size_t l = 0; l < 8; ++l) {
      rows[l] = AsUnsigned(_mm256_loadu_ps(pixels[l] + channel));
    }
    StoreToPanel(rows, stride, panel);
  }
  static size_t PackOutputs(const OutputScalingView&, size_t, size_t, float*) {
    return 0;
  }
  static void Scatter(const float* sums, size_t stride, size_t row,
                      float* const* pixels) {
    __m256 rows[8];
    for (size_t r = 0; r < 8; ++r) rows[r] = _mm256_load_ps(sums + r * stride);
    StoreToPixels(rows, row, pixels);
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/int8_tile_impl.h"

namespace keras_dc {

Int8TileKernel Avx2Int8TileKernel() { return MakeInt8TileKernel(); }

}  // namespace keras_dc
