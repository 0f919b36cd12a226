// Compiled for AVX-512 with VNNI: vpdpbusd multiplies unsigned inputs by signed
// weights, four at a time, and adds the products exactly.
#include "kernels/tile/int8_tile.h"
#include "kernels/tile/requantize_avx512.h"
#include "kernels/tile/transpose_avx.h"

namespace keras_dc {
namespace {

// round(round(sums * 2^left * multiplier / 2^31) / 2^right), see requantize.h.
inline __m512i MultiplyByScales(__m512i sums, __m512i multipliers, __m512i left,
                                __m512i right) {
  const __m512i half = _mm512_set1_epi64(int64_t{1} << 30);
  const __m512i x = _mm512_sllv_epi32(sums, left);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, multipliers), half);
  const __m512i odd =
      _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x, 32),
                                        _mm512_srli_epi64(multipliers, 32)),
                       half);
  const __m512i high = _mm512_mask_blend_epi32(
      0xaaaa, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
  const __m512i one = _mm512_set1_epi32(1);
  const __m512i mask = _mm512_sub_epi32(_mm512_sllv_epi32(one, right), one);
  // The sign is -1 for a negative number.
  const __m512i threshold =
      _mm512_sub_epi32(_mm512_srli_epi32(mask, 1), _mm512_srai_epi32(high, 31));
  const __mmask16 is_up =
      _mm512_cmpgt_epi32_mask(_mm512_and_si512(high, mask), threshold);
  const __m512i shifted = _mm512_srav_epi32(high, right);
  return _mm512_mask_add_epi32(shifted, is_up, shifted, one);
}

// round(sums * 2^(left - right) * multipliers / 2^31), see requantize.h.
inline __m512i MultiplyByScalesOnce(__m512i sums, __m512i multipliers,
                                    __m512i left, __m512i right) {
  const __m512i shift =
      _mm512_add_epi32(_mm512_sub_epi32(_mm512_set1_epi32(31), left), right);
  const auto scale = [](__m512i a, __m512i b, __m512i by) {
    const __m512i half = _mm512_sllv_epi64(
        _mm512_set1_epi64(1), _mm512_sub_epi64(by, _mm512_set1_epi64(1)));
    return _mm512_srav_epi64(_mm512_add_epi64(_mm512_mul_epi32(a, b), half),
                             by);
  };
  const __m512i even = scale(sums, multipliers,
                             _mm512_and_si512(shift, _mm512_set1_epi64(0xff)));
  const __m512i odd =
      scale(_mm512_srli_epi64(sums, 32), _mm512_srli_epi64(multipliers, 32),
            _mm512_srli_epi64(shift, 32));
  return _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}

void RequantizeVnni(const OutputScalingView& scaling, size_t num_rows,
                    const void* sums, int8_t* outputs) {
  const __m512i lowest = _mm512_set1_epi32(scaling.lowest - scaling.zero_point);
  const __m512i highest =
      _mm512_set1_epi32(scaling.highest - scaling.zero_point);
  const __m512i zero_point = _mm512_set1_epi32(scaling.zero_point);
  const auto* from = static_cast<const uint8_t*>(sums);
  for (size_t r = 0; r < num_rows; r += 16) {
    const size_t left = num_rows - r;
    const auto rows =
        static_cast<__mmask16>(left < 16 ? (1u << left) - 1 : 0xffffu);
    const __m512i sum =
        _mm512_maskz_loadu_epi32(rows, from + r * sizeof(int32_t));
    const __m512i multiplier =
        _mm512_maskz_loadu_epi32(rows, scaling.multipliers + r);
    const __m512i left_shift =
        _mm512_maskz_loadu_epi32(rows, scaling.left_shifts + r);
    const __m512i right_shift =
        _mm512_maskz_loadu_epi32(rows, scaling.right_shifts + r);
    const __m512i scaled =
        scaling.rounds_once
            ? MultiplyByScalesOnce(sum, multiplier, left_shift, right_shift)
            : MultiplyByScales(sum, multiplier, left_shift, right_shift);
    const __m512i clamped = _mm512_add_epi32(
        _mm512_min_epi32(_mm512_max_epi32(scaled, lowest), highest),
        zero_point);
    _mm_mask_storeu_epi8(outputs + r, rows, _mm512_cvtepi32_epi8(clamped));
  }
}

// The scale of one row, as a float and for 64-bit products.
struct RowScale {
  FloatScales floats;
  __m512i multiplier, halves, shift, odd_shift;
};

inline RowScale RowScaleOf(const OutputScalingView& scaling, size_t row,
                           const ProductRounding& rounding) {
  const int32_t multiplier = scaling.multipliers[row];
  // Zero has no shift; any will do.
  const int right = multiplier == 0 ? 1 : scaling.right_shifts[row];
  return {FloatScales(_mm512_set1_epi32(multiplier), _mm512_set1_epi32(right),
                      scaling.rounds_once),
          _mm512_set1_epi64(multiplier),
          rounding.Halves(_mm512_set1_epi64(right)),
          _mm512_set1_epi64(31 + right), _mm512_set1_epi64(right - 1)};
}

inline __m512i ScaleExactly(const RowScale& scale,
                            const ProductRounding& rounding,
                            const float* sums) {
  const __m512i x = _mm512_load_si512(sums);
  const __m512i even = rounding.Shift(_mm512_mul_epi32(x, scale.multiplier),
                                      scale.halves, scale.shift);
  // In the upper half of each 64 bits, where the odd ones belong.
  const __m512i odd = rounding.Shift(
      _mm512_mul_epi32(_mm512_srli_epi64(x, 32), scale.multiplier),
      scale.halves, scale.odd_shift);
  return _mm512_mask_blend_epi32(0xaaaa, even, odd);
}

struct Simd {
  using Vector = __m512i;
  static constexpr size_t kLanes = 16;
  // The other ones of 32 registers hold the weight and inputs.
  static constexpr size_t kMaxOutputs = 28;
  static constexpr size_t kSide = 8;
  static constexpr int32_t kInputOffset = 128;
  static constexpr bool kNeedsSmallPairs = false;
  static constexpr Requantize RequantizeRows = RequantizeVnni;

  static Vector Load(const float* from) { return _mm512_load_si512(from); }
  static void Store(float* to, Vector v) { _mm512_store_si512(to, v); }
  static Vector Broadcast(const float* value) {
    return _mm512_castps_si512(_mm512_set1_ps(*value));
  }
  static Vector MulAdd(Vector weights, Vector inputs, Vector sums) {
    return _mm512_dpbusd_epi32(sums, inputs, weights);
  }
  // Adds 128 to each int8 number.
  static __m512 AsUnsigned(__m512 words) {
    return _mm512_xor_ps(words, _mm512_castsi512_ps(_mm512_set1_epi8(-128)));
  }
  static Vector GatherOne(const float* const* pixels, size_t channel) {
    const __m512i offset =
        _mm512_set1_epi64(static_cast<int64_t>(channel * sizeof(float)));
    const auto gather = [&](const float* const* from) {
      const __m512i addresses =
          _mm512_add_epi64(_mm512_loadu_si512(from), offset);
      return _mm512_i64gather_epi32(addresses, nullptr, 1);
    };
    const __m512i words = _mm512_inserti64x4(
        _mm512_castsi256_si512(gather(pixels)), gather(pixels + 8), 1);
    return _mm512_castps_si512(AsUnsigned(_mm512_castsi512_ps(words)));
  }
  static void Gather(const float* const* pixels, size_t channel, size_t stride,
                     float* panel, Vector*) {
    __m512 rows[8];
    for (size_t l = 0; l < 8; ++l) {
      rows[l] = AsUnsigned(LoadPixels(pixels + l, channel));
    }
    StoreToPanel(rows, stride, panel);
  }
  static void Scatter(const float* sums, size_t stride, size_t row,
                      float* const* pixels) {
    __m512 rows[8];
    for (size_t r = 0; r < 8; ++r) rows[r] = _mm512_load_ps(sums + r * stride);
    StoreToPixels(rows, row, pixels);
  }
  static size_t PackOutputs(const OutputScalingView& scaling, size_t num_rows,
                            size_t stride, float* sums) {
    const ProductRounding rounding(scaling.rounds_once);
    const ByteLimits limits(scaling);
    // Bytes of four rows, which packs leave side by side, become words.
    const __m512i interleave =
        _mm512_set4_epi32(0x0f0b0703, 0x0e0a0602, 0x0d090501, 0x0c080400);
    size_t word = 0;
    for (; word * 4 + 4 <= num_rows; ++word) {
      const size_t row = word * 4;
      RowScale scales[4];
      for (size_t r = 0; r < 4; ++r) {
        const bool is_zero = scaling.multipliers[row + r] == 0;
        const bool is_small = scaling.left_shifts[row + r] == 0 &&
                              scaling.right_shifts[row + r] > 0;
        if (!is_zero && !is_small) return word;
        scales[r] = RowScaleOf(scaling, row + r, rounding);
      }
      const float* from = sums + row * stride;
      for (size_t i = 0; i < stride; i += kLanes) {
        __m512i scaled[4];
        __m512 distance = _mm512_setzero_ps();
        for (size_t r = 0; r < 4; ++r) {
          scaled[r] = scales[r].floats.Scale(
              _mm512_load_si512(from + r * stride + i), &distance);
        }
        if (!FloatScales::IsSure(distance)) {
          for (size_t r = 0; r < 4; ++r) {
            scaled[r] =
                ScaleExactly(scales[r], rounding, from + r * stride + i);
          }
        }
        const __m512i bytes = limits.Pack(scaled);
        _mm512_store_si512(sums + word * stride + i,
                           _mm512_shuffle_epi8(bytes, interleave));
      }
    }
    return word;
  }
};

}  // namespace
}  // namespace keras_dc

#include "kernels/tile/int8_tile_impl.h"

namespace keras_dc {

Int8TileKernel VnniInt8TileKernel() { return MakeInt8TileKernel(); }

}  // namespace keras_dc
