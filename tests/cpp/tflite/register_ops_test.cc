#include "keras_dc/register_ops.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace keras_dc {
namespace {

// What tflite::MutableOpResolver offers.
class FakeResolver {
 public:
  void AddCustom(const char* name, const TfLiteRegistration* registration,
                 int version = 1) {
    ops[name] = *registration;
    ops[name].version = version;
  }

  std::map<std::string, TfLiteRegistration> ops;
};

TEST(RegisterOps, AddsEveryOpWithItsCallbacks) {
  FakeResolver resolver;
  RegisterOps(&resolver);
  ASSERT_EQ(resolver.ops.size(), 3u);
  for (const char* name :
       {"KerasDcFullyConnected", "KerasDcConv2D", "KerasDcDecode"}) {
    ASSERT_EQ(resolver.ops.count(name), 1u) << name;
    const TfLiteRegistration& op = resolver.ops[name];
    EXPECT_STREQ(op.custom_name, name);
    EXPECT_NE(op.init, nullptr);
    EXPECT_NE(op.free, nullptr);
    EXPECT_NE(op.prepare, nullptr);
    EXPECT_NE(op.invoke, nullptr);
  }
}

}  // namespace
}  // namespace keras_dc
