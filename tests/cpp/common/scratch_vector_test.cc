#include "common/scratch_vector.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <numeric>
#include <string>

namespace keras_dc {
namespace {

TEST(ScratchVector, HoldsWhatIsPutIn) {
  for (const size_t size : {0, 1, 1000, 100000, 3 << 20}) {
    ScratchVector<uint32_t> numbers(size);
    std::iota(numbers.begin(), numbers.end(), 7u);
    numbers.resize(size + size / 2);
    const ScratchVector<uint32_t> moved = std::move(numbers);
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(moved[i], i + 7);
  }
}

TEST(ScratchVector, RefusesMoreThanThereIs) {
  ScratchAllocator<uint64_t> allocator;
  EXPECT_THROW(allocator.allocate(static_cast<size_t>(-1) / 16),
               std::bad_alloc);
  EXPECT_THROW(allocator.allocate(static_cast<size_t>(-1) / 4), std::bad_alloc);
}

// Sanitizers use additional memory for each byte.
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
}

TEST(ScratchVector, GivesItsMemoryBack) {
  // Under qemu-user, whose own memory counts, one of the twenty may stay.
  constexpr size_t kMayStay = 1 << 20;
  const size_t before = ResidentBytes();
  for (int i = 0; i < 20; ++i) {
    ScratchVector<uint8_t> bytes(1 << 20);
    std::memset(bytes.data(), i + 1, bytes.size());
    EXPECT_GE(ResidentBytes(), before + (1 << 20) - 65536);
  }
  EXPECT_LE(ResidentBytes(), before + kMayStay);
}
#endif

}  // namespace
}  // namespace keras_dc
