// The check of a model's bytes. tests/runtime tries it on whole and damaged
// files.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fake_runtime.h"
#include "keras_dc/model.h"

namespace keras_dc {
namespace {

void Append(uint64_t number, size_t size, std::vector<uint8_t>* bytes) {
  for (size_t i = 0; i < size; ++i) {
    bytes->push_back(static_cast<uint8_t>(number >> (8 * i)));
  }
}

// A model of one subgraph that is empty.
std::vector<uint8_t> SmallModel(uint32_t version = 3) {
  std::vector<uint8_t> bytes;
  Append(20, 4, &bytes);  // 0: where the model is
  for (const char c : {'T', 'F', 'L', '3'}) Append(uint8_t(c), 1, &bytes);
  // 8: the vtable of the model: its size, that of the table, three fields
  for (const int number : {10, 12, 4, 0, 8, 0}) Append(number, 2, &bytes);
  Append(12, 4, &bytes);       // 20: the model; its vtable is 12 bytes before
  Append(version, 4, &bytes);  // 24
  Append(4, 4, &bytes);        // 28: the subgraphs are 4 bytes on
  Append(1, 4, &bytes);        // 32: one subgraph
  Append(8, 4, &bytes);        // 36: 8 bytes on
  for (const int number : {4, 4}) Append(number, 2, &bytes);  // 40: a vtable
  Append(4, 4, &bytes);  // 44: the subgraph; its vtable is 4 bytes before
  return bytes;
}

// What is said of a copy, of which AddressSanitizer knows the end.
std::string FaultOf(const std::vector<uint8_t>& bytes) {
  const auto copy = std::make_unique<uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  const char* fault = kdc_check_model(copy.get(), bytes.size());
  return fault == nullptr ? "" : fault;
}

TEST(ModelCheck, TakesASmallModel) { EXPECT_EQ(FaultOf(SmallModel()), ""); }

TEST(ModelCheck, RefusesWhatIsNoModel) {
  EXPECT_TRUE(Contains(FaultOf({}), "identifier"));
  EXPECT_NE(kdc_check_model(nullptr, 100), nullptr);
  EXPECT_TRUE(Contains(FaultOf({'T', 'F', 'L', '3'}), "identifier"));
  EXPECT_TRUE(Contains(FaultOf(SmallModel(4)), "version"));
}

TEST(ModelCheck, RefusesEveryPartOfAModel) {
  const std::vector<uint8_t> model = SmallModel();
  for (size_t size = 0; size < model.size(); ++size) {
    EXPECT_NE(FaultOf({model.begin(), model.begin() + long(size)}), "") << size;
  }
}

TEST(ModelCheck, ReadsNothingOutside) {
  const std::vector<uint8_t> model = SmallModel();
  for (size_t i = 0; i < model.size(); ++i) {
    for (const int byte : {0, 1, 4, 0x7f, 0x80, 0xff}) {
      std::vector<uint8_t> damaged = model;
      damaged[i] = static_cast<uint8_t>(byte);
      FaultOf(damaged);
    }
  }
}

// A vector that names one table many times, of which each names another one
// many times.
TEST(ModelCheck, EndsSoonWhereTablesAreShared) {
  std::vector<uint8_t> model = SmallModel();
  constexpr uint32_t kCount = 3000;
  model.resize(32);
  Append(kCount, 4, &model);
  const uint32_t subgraph = 36 + 4 * kCount + 6;
  for (uint32_t i = 0; i < kCount; ++i) {
    Append(subgraph - (36 + 4 * i), 4, &model);
  }
  for (const int number : {6, 8, 4}) Append(number, 2, &model);
  Append(6, 4, &model);
  Append(4, 4, &model);  // the tensors
  Append(kCount, 4, &model);
  const auto begin = static_cast<uint32_t>(model.size());
  const uint32_t tensor = begin + 4 * kCount + 4;
  for (uint32_t i = 0; i < kCount; ++i) {
    Append(tensor - (begin + 4 * i), 4, &model);
  }
  for (const int number : {4, 4}) Append(number, 2, &model);
  Append(4, 4, &model);
  EXPECT_TRUE(Contains(FaultOf(model), "damaged"));
}

}  // namespace
}  // namespace keras_dc
