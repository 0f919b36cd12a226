// A model in LiteRT's CompiledModel API: floats in, floats out.
#ifndef KERAS_DC_TUTORIALS_CPP_LITERT_MODEL_H_
#define KERAS_DC_TUTORIALS_CPP_LITERT_MODEL_H_

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "litert.h"

inline void Check(LiteRtStatus status, const char* what) {
  if (status != 0) {
    throw std::runtime_error(std::string(what) + ": LiteRT's status " +
                             std::to_string(status));
  }
}

class LiteRtModelOfOneInput {
 public:
  // `bytes` must stay. `add_ops`, which may be null, adds the ops that LiteRT
  // does not know to its environment, and returns a sentence if it cannot.
  LiteRtModelOfOneInput(const void* bytes, size_t size,
                        const char* (*add_ops)(LiteRtEnvironment)) {
    Check(LiteRtCreateEnvironment(0, nullptr, &environment_), "environment");
    if (add_ops != nullptr) {
      const char* fault = add_ops(environment_);
      if (fault != nullptr) throw std::runtime_error(fault);
    }
    Check(LiteRtCreateModelFromBuffer(environment_, bytes, size, &model_),
          "model");
    Check(LiteRtCreateOptions(&options_), "options");
    Check(
        LiteRtSetOptionsHardwareAccelerators(options_, kLiteRtHwAcceleratorCpu),
        "accelerators");
    Check(LiteRtCreateCompiledModel(environment_, model_, options_, &compiled_),
          "compiled model");
    LiteRtSignature signature;
    Check(LiteRtGetModelSignature(model_, 0, &signature), "signature");
    LiteRtTensor tensor;
    LiteRtTensorBufferRequirements requirements;
    Check(LiteRtGetSignatureInputTensorByIndex(signature, 0, &tensor), "input");
    Check(LiteRtGetCompiledModelInputBufferRequirements(compiled_, 0, 0,
                                                        &requirements),
          "input");
    input_ = MakeBuffer(tensor, requirements);
    Check(LiteRtGetSignatureOutputTensorByIndex(signature, 0, &tensor),
          "output");
    Check(LiteRtGetCompiledModelOutputBufferRequirements(compiled_, 0, 0,
                                                         &requirements),
          "output");
    output_ = MakeBuffer(tensor, requirements);
  }

  ~LiteRtModelOfOneInput() {
    LiteRtDestroyTensorBuffer(output_);
    LiteRtDestroyTensorBuffer(input_);
    LiteRtDestroyCompiledModel(compiled_);
    LiteRtDestroyOptions(options_);
    LiteRtDestroyModel(model_);
    LiteRtDestroyEnvironment(environment_);
  }
  LiteRtModelOfOneInput(const LiteRtModelOfOneInput&) = delete;
  LiteRtModelOfOneInput& operator=(const LiteRtModelOfOneInput&) = delete;

  size_t input_size() const { return SizeBytes(input_) / sizeof(float); }

  std::vector<float> Run(const std::vector<float>& inputs) {
    if (inputs.size() != input_size()) {
      throw std::invalid_argument("the model takes " +
                                  std::to_string(input_size()) + " floats");
    }
    void* place;
    Check(LiteRtLockTensorBuffer(input_, &place, kLiteRtLockWrite), "input");
    std::memcpy(place, inputs.data(), SizeBytes(input_));
    Check(LiteRtUnlockTensorBuffer(input_), "input");
    Check(LiteRtRunCompiledModel(compiled_, 0, 1, &input_, 1, &output_), "run");
    std::vector<float> outputs(SizeBytes(output_) / sizeof(float));
    Check(LiteRtLockTensorBuffer(output_, &place, kLiteRtLockRead), "output");
    std::memcpy(outputs.data(), place, SizeBytes(output_));
    Check(LiteRtUnlockTensorBuffer(output_), "output");
    return outputs;
  }

 private:
  LiteRtTensorBuffer MakeBuffer(LiteRtTensor tensor,
                                LiteRtTensorBufferRequirements requirements) {
    LiteRtRankedTensorType type;
    Check(LiteRtGetRankedTensorType(tensor, &type), "type");
    LiteRtTensorBuffer buffer;
    Check(LiteRtCreateManagedTensorBufferFromRequirements(
              environment_, &type, requirements, &buffer),
          "buffer (are all shapes of the model fixed?)");
    return buffer;
  }

  static size_t SizeBytes(LiteRtTensorBuffer buffer) {
    size_t size;
    Check(LiteRtGetTensorBufferPackedSize(buffer, &size), "size");
    return size;
  }

  LiteRtEnvironment environment_ = nullptr;
  LiteRtModel model_ = nullptr;
  LiteRtOptions options_ = nullptr;
  LiteRtCompiledModel compiled_ = nullptr;
  LiteRtTensorBuffer input_ = nullptr, output_ = nullptr;
};

#endif  // KERAS_DC_TUTORIALS_CPP_LITERT_MODEL_H_
