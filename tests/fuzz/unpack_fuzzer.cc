// Takes any bytes as a packed file. They are refused, or unpack to as many
// bytes as their head says; and no segment, of a file or of a patch, leads
// outside of its bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "keras_dc/pack.h"
#include "unpack/unpacker.h"

namespace {

// Larger files only take time; so does the dictionary.
constexpr uint64_t kMaxFuzzedBytes = 128;
constexpr size_t kHeadBytes = 3;

void Require(bool condition) {
  if (!condition) std::abort();
}

// The base of all patches: a blob, its weights, and text.
std::vector<uint8_t> MakeBase() {
  std::vector<float> weights(40, 0.0f);
  for (size_t i = 0; i < weights.size(); i += 3) weights[i] = 0.5f;
  const int64_t shape[] = {5, 8};
  kdc_bytes* blob = nullptr;
  Require(kdc_encode(weights.data(), KDC_FLOAT32, shape, 2, &blob) == KDC_OK);
  std::vector<uint8_t> base(kdc_bytes_data(blob),
                            kdc_bytes_data(blob) + kdc_bytes_size(blob));
  kdc_free_bytes(blob);
  const auto* bytes = reinterpret_cast<const uint8_t*>(weights.data());
  base.insert(base.end(), bytes, bytes + sizeof(float) * weights.size());
  for (uint8_t i = 0; i < 64; ++i) base.push_back(i / 4);
  return base;
}

// As they are: the head decides.
void UnpackWhole(const uint8_t* data, size_t size) {
  size_t unpacked_size = 0;
  if (kdc_unpacked_size(data, size, &unpacked_size) != KDC_OK) return;
  if (unpacked_size > kMaxFuzzedBytes || (data[4] & 2) != 0) return;
  std::vector<uint8_t> out(unpacked_size);
  const int32_t status =
      kdc_unpack(data, size, nullptr, 0, out.data(), out.size());
  size_t written = 0;
  const auto count = [](void* context, const uint8_t*, size_t bytes) {
    *static_cast<size_t*>(context) += bytes;
    return 0;
  };
  Require(kdc_unpack_to(data, size, nullptr, 0, count, &written) == status);
  Require(status != KDC_OK || written == unpacked_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<uint8_t> base = MakeBase();
  if (size > 4 && data[0] == 'K' && data[1] == 'D' && data[2] == 'P') {
    UnpackWhole(data, size);
    return 0;
  }
  // In place of the head: the size of the file, whether there is a base, and
  // the size of the control stream. Checksums would stop nearly all mutations.
  if (size < kHeadBytes) return 0;
  keras_dc::PackHead head;
  head.info.original_size = data[0] % kMaxFuzzedBytes;
  head.info.has_base = data[1] & 1;
  head.modelled_bytes = 1 << 8;
  const size_t left = size - kHeadBytes;
  head.control = data + kHeadBytes;
  head.control_size = std::min<size_t>(data[2], left);
  head.payloads = head.control + head.control_size;
  head.payloads_size = left - head.control_size;
  uint64_t written = 0;
  const keras_dc::WriteBytes write = [&](const uint8_t*, size_t bytes) {
    written += bytes;
    return true;
  };
  const bool has_base = head.info.has_base != 0;
  keras_dc::UnpackSegments(head, has_base ? base.data() : nullptr,
                           has_base ? base.size() : 0, write);
  Require(written <= head.info.original_size);
  return 0;
}
