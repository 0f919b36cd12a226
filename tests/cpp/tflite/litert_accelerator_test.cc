// The accelerator, as LiteRT registers and calls it.
#include "tflite/litert_accelerator.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "keras_dc/delegate.h"
#include "keras_dc/litert.h"
#include "tflite/litert_abi.h"

extern "C" const LiteRtAcceleratorDef LiteRtAcceleratorImpl;

namespace keras_dc {
namespace {

// What LiteRT knows of an accelerator; the status that it gives by function.
struct FakeLiteRt {
  std::map<std::string, void*> symbols;
  std::map<std::string, int> statuses;
  bool is_destroyed = false;
  void* environment = nullptr;
  int (*get_name)(const void*, const char**) = nullptr;
  int (*get_version)(const void*, LiteRtVersion*) = nullptr;
  int (*get_hardware)(const void*, int*) = nullptr;
  LiteRtCreateDelegate* create_delegate = nullptr;
  TfLiteDelegate* delegate = nullptr;
  void (*destroy)(TfLiteDelegate*) = nullptr;
};
FakeLiteRt* litert = nullptr;

int Create(void** accelerator) {
  *accelerator = litert;
  return litert->statuses["create"];
}
int Destroy(void*) {
  litert->is_destroyed = true;
  return kLiteRtOk;
}
int SetName(void*, int (*get)(const void*, const char**)) {
  litert->get_name = get;
  return litert->statuses["name"];
}
int SetVersion(void*, int (*get)(const void*, LiteRtVersion*)) {
  litert->get_version = get;
  return litert->statuses["version"];
}
int SetHardware(void*, int (*get)(const void*, int*)) {
  litert->get_hardware = get;
  return litert->statuses["hardware"];
}
int SetCreate(void*, LiteRtCreateDelegate* create) {
  litert->create_delegate = create;
  return litert->statuses["delegate"];
}
int Register(void* environment, void*, void*, void (*)(void*)) {
  litert->environment = environment;
  return litert->statuses["register"];
}
int Wrap(TfLiteDelegate* delegate, void (*destroy)(TfLiteDelegate*),
         void** wrapper) {
  litert->delegate = delegate;
  litert->destroy = destroy;
  *wrapper = delegate;
  return litert->statuses["wrap"];
}

class LiteRt : public ::testing::Test {
 protected:
  LiteRt() {
    litert = &fake_;
    fake_.symbols = {
        {"LiteRtCreateAccelerator", reinterpret_cast<void*>(&Create)},
        {"LiteRtDestroyAccelerator", reinterpret_cast<void*>(&Destroy)},
        {"LiteRtSetAcceleratorGetName", reinterpret_cast<void*>(&SetName)},
        {"LiteRtSetAcceleratorGetVersion",
         reinterpret_cast<void*>(&SetVersion)},
        {"LiteRtSetAcceleratorGetHardwareSupport",
         reinterpret_cast<void*>(&SetHardware)},
        {"LiteRtSetDelegateFunction", reinterpret_cast<void*>(&SetCreate)},
        {"LiteRtRegisterAccelerator", reinterpret_cast<void*>(&Register)},
        {"kLiteRtRuntimeBuiltin", &fake_}};
    context_.header = {sizeof(LiteRtRuntimeContext), kLiteRtMajorVersion, 0, 0};
    context_.wrap_delegate = Wrap;
  }

  const char* Add(bool low_memory = false) {
    return AddToLiteRt(
        &place_, low_memory, &fake_, [](void* fake, const char* name) -> void* {
          auto& symbols = static_cast<FakeLiteRt*>(fake)->symbols;
          const auto found = symbols.find(name);
          return found == symbols.end() ? nullptr : found->second;
        });
  }

  FakeLiteRt fake_;
  LiteRtRuntimeContext context_ = {};
  int place_ = 0;
  void* wrapper_ = nullptr;
};

TEST_F(LiteRt, GetsAnAcceleratorOfTheCpu) {
  ASSERT_EQ(Add(), nullptr);
  EXPECT_EQ(fake_.environment, &place_);
  EXPECT_FALSE(fake_.is_destroyed);
  const char* name = nullptr;
  int hardware = 0;
  LiteRtVersion version = {-1, -1, -1};
  EXPECT_EQ(fake_.get_name(nullptr, &name), kLiteRtOk);
  EXPECT_EQ(fake_.get_hardware(nullptr, &hardware), kLiteRtOk);
  EXPECT_EQ(fake_.get_version(nullptr, &version), kLiteRtOk);
  EXPECT_STREQ(name, "keras_dc");
  EXPECT_EQ(hardware, kLiteRtCpu);
  EXPECT_GE(version.minor_number, 0);
}

TEST_F(LiteRt, GetsADelegateThatItDestroys) {
  const int64_t before = kdc_num_litert_delegates();
  for (const bool low_memory : {false, true}) {
    ASSERT_EQ(Add(low_memory), nullptr);
    ASSERT_EQ(
        fake_.create_delegate(&context_, &place_, nullptr, nullptr, &wrapper_),
        kLiteRtOk);
    ASSERT_NE(fake_.delegate, nullptr);
    EXPECT_EQ(wrapper_, fake_.delegate);
    EXPECT_NE(fake_.delegate->Prepare, nullptr);
    fake_.destroy(fake_.delegate);
  }
  EXPECT_EQ(kdc_num_litert_delegates(), before + 2);
}

TEST_F(LiteRt, LosesNoDelegateThatItCannotWrap) {
  ASSERT_EQ(Add(), nullptr);
  fake_.statuses["wrap"] = kLiteRtMemoryAllocationFailure;
  EXPECT_EQ(
      fake_.create_delegate(&context_, &place_, nullptr, nullptr, &wrapper_),
      kLiteRtMemoryAllocationFailure);
}

TEST_F(LiteRt, OfAnotherAbiIsRefusedBeforeItsFunctionsAreCalled) {
  const int64_t before = kdc_num_litert_delegates();
  ASSERT_EQ(Add(), nullptr);
  const auto status = [this] {
    return fake_.create_delegate(&context_, &place_, nullptr, nullptr,
                                 &wrapper_);
  };
  context_.header.major_version = 2;
  EXPECT_EQ(status(), kLiteRtWrongVersion);
  context_.header.major_version = kLiteRtMajorVersion;
  context_.header.struct_size = sizeof(LiteRtRuntimeContext) - 1;
  EXPECT_EQ(status(), kLiteRtWrongVersion);
  EXPECT_EQ(
      fake_.create_delegate(nullptr, &place_, nullptr, nullptr, &wrapper_),
      kLiteRtInvalidArgument);
  EXPECT_EQ(fake_.delegate, nullptr);
  EXPECT_EQ(kdc_num_litert_delegates(), before);
  // One that has more at its end is known.
  context_.header = {sizeof(LiteRtRuntimeContext) + 256, kLiteRtMajorVersion, 9,
                     0};
  ASSERT_EQ(status(), kLiteRtOk);
  fake_.destroy(fake_.delegate);
}

TEST_F(LiteRt, OfAnotherReleaseIsRefusedInASentence) {
  fake_.symbols.erase("kLiteRtRuntimeBuiltin");
  EXPECT_STREQ(Add(),
               "this LiteRT is older than 2.2, and adds accelerators by "
               "functions of other arguments");
  fake_.symbols["kLiteRtRuntimeBuiltin"] = &fake_;
  for (const char* name :
       {"LiteRtDestroyAccelerator", "LiteRtSetAcceleratorGetName",
        "LiteRtSetAcceleratorGetVersion",
        "LiteRtSetAcceleratorGetHardwareSupport", "LiteRtSetDelegateFunction",
        "LiteRtRegisterAccelerator"}) {
    void* symbol = fake_.symbols[name];
    fake_.symbols.erase(name);
    EXPECT_STREQ(Add(),
                 "this LiteRT is newer than 2.3, and lacks a function for "
                 "accelerators")
        << name;
    fake_.symbols[name] = symbol;
  }
  fake_.symbols.clear();
  const std::string fault = Add();
  EXPECT_EQ(fault.rfind("there is no LiteRT with functions", 0), 0u) << fault;
  EXPECT_EQ(fake_.environment, nullptr);
}

TEST_F(LiteRt, ThatRefusesIsToldOf) {
  fake_.statuses["create"] = 1;
  EXPECT_STREQ(Add(), "LiteRT could not make an accelerator");
  fake_.statuses["create"] = 0;
  for (const char* step : {"name", "version", "hardware", "delegate"}) {
    fake_.is_destroyed = false;
    fake_.statuses[step] = 1;
    EXPECT_STREQ(Add(), "LiteRT refused a function of the accelerator") << step;
    EXPECT_TRUE(fake_.is_destroyed) << step;
    fake_.statuses[step] = 0;
  }
  fake_.is_destroyed = false;
  fake_.statuses["register"] = 1;
  EXPECT_STREQ(Add(), "LiteRT refused the accelerator");
  // The environment has done that.
  EXPECT_FALSE(fake_.is_destroyed);
}

TEST_F(LiteRt, FindsAPlugInOfItsAbi) {
  const LiteRtAcceleratorDef& plugin = LiteRtAcceleratorImpl;
  EXPECT_EQ(plugin.header.major_version, kLiteRtMajorVersion);
  EXPECT_EQ(plugin.header.struct_size, sizeof(plugin));
  bool compiles = true;
  int hardware = 0;
  EXPECT_EQ(plugin.compiles(nullptr, &compiles), kLiteRtOk);
  EXPECT_EQ(plugin.get_hardware(nullptr, &hardware), kLiteRtOk);
  EXPECT_FALSE(compiles);
  EXPECT_EQ(hardware, kLiteRtCpu);
  ASSERT_EQ(
      plugin.create_delegate(&context_, &place_, nullptr, nullptr, &wrapper_),
      kLiteRtOk);
  fake_.destroy(fake_.delegate);
}

TEST(AddToLiteRt, TellsOfNoEnvironmentAndOfNoLiteRt) {
  EXPECT_STREQ(kdc_add_to_litert(nullptr, nullptr, 0),
               "the environment of LiteRT is null");
  int place = 0;
  const std::string fault = kdc_add_to_litert(&place, nullptr, 0);
  EXPECT_EQ(fault.rfind("there is no LiteRT with functions", 0), 0u) << fault;
}

}  // namespace
}  // namespace keras_dc
