#include "kernels/forms/aligned_vector.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace keras_dc {
namespace {

TEST(AlignedVector, BeginsAtACacheLineWhateverItsSize) {
  for (const size_t size : {size_t{1}, size_t{1000}, size_t{6} << 20}) {
    const AlignedVector<uint8_t> vector(size, 7);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(vector.data()) % 64, 0u);
  }
}

TEST(AlignedVector, KeepsItsElementsWhenTheSpareMemoryGoes) {
  for (const size_t size : {size_t{0}, size_t{5000}, (size_t{4} << 20) + 1}) {
    AlignedVector<uint8_t> vector;
    vector.reserve(size_t{8} << 20);
    for (size_t i = 0; i < size; ++i) {
      vector.push_back(static_cast<uint8_t>(i % 251));
    }
    ReleaseSpare(&vector);
    vector.push_back(3);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(vector[i], i % 251);
    EXPECT_EQ(vector.back(), 3);
  }
}

}  // namespace
}  // namespace keras_dc
