// An op: the tensors of a node, Prepare and Eval. It does not know whether a
// resolver or the delegate made it.
#ifndef KERAS_DC_SRC_TFLITE_OP_H_
#define KERAS_DC_SRC_TFLITE_OP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/cpu.h"
#include "common/thread_pool.h"
#include "keras_dc/codec.h"
#include "keras_dc/tflite_abi.h"
#include "tflite/blob_cache.h"
#include "tflite/loop_graphs.h"

namespace keras_dc {

// What is wrong, as a sentence for the user; empty where nothing is.
using Error = std::string;

// What the ops of a delegate share.
struct OpResources {
  BlobCache cache;
  ThreadPool threads;
  LoopGraphs loop_graphs;
  // Whether weights are decoded at every Eval, and not kept in between; but
  // those that a loop reads are kept, which would be decoded at every step.
  bool low_memory = false;
};

// What a node says beside its tensors.
struct NodeOptions {
  // Of a custom op.
  const uint8_t* custom = nullptr;
  size_t custom_size = 0;
  // Of an op of the runtime.
  const void* builtin = nullptr;
  // Whether the op decodes at every Eval.
  bool low_memory = false;
};

class Op {
 public:
  explicit Op(const char* name) : name_(name) {}
  virtual ~Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  // Copies the tensor indices of the node, which never change.
  void Bind(const TfLiteIntArray* inputs, const TfLiteIntArray* outputs);
  // A runtime gives no memory to an output of a delegate that nobody reads;
  // `read` has the tensors that somebody does. Without this call they all are.
  void BindReadOutputs(const TfLiteIntArray* read);
  // "KerasDcDecode 'name of its output'".
  std::string Label(const TfLiteContext& context) const;

  // Called when the delegate claims the node, before other delegates look at
  // the graph. Reports no errors: Prepare finds them again.
  virtual void Attach(TfLiteContext*) {}
  virtual Error Prepare(TfLiteContext* context) = 0;
  virtual Error Eval(TfLiteContext* context) = 0;
  // Called before the node is deleted; the graph may live on.
  virtual void Detach(TfLiteContext*) {}

 protected:
  // Checks that the node has `min_inputs` to `max_inputs` inputs and one
  // output, and that all of them exist, with a shape; and that the output is
  // not an input, too.
  Error CheckArity(const TfLiteContext& context, size_t min_inputs,
                   size_t max_inputs) const;
  // Null if an optional input is absent.
  TfLiteTensor* Input(TfLiteContext* context, size_t index) const;
  TfLiteTensor* Output(TfLiteContext* context) const;
  // Checks that the model declares `channels` output channels: a blob of other
  // weights must not make the output larger.
  Error CheckOutputChannels(TfLiteContext* context, int64_t channels) const;
  Error ResizeOutput(TfLiteContext* context,
                     const std::vector<int>& shape) const;
  // Whether Eval need not compute, as nobody reads the output.
  bool is_unread() const { return is_unread_; }

 private:
  const char* name_;
  std::vector<int> inputs_;
  std::vector<int> outputs_;
  bool is_unread_ = false;
};

// Checks that `tensor` is a constant vector of bytes.
Error GetBlob(const TfLiteTensor& tensor, Blob* blob);
// Empty for KDC_OK.
Error BlobError(kdc_status status);

// Reports to the runtime that memory is short. Returns kTfLiteError.
TfLiteStatus ReportOutOfMemory(TfLiteContext* context);

// How the kernels shall run: the instruction set, and the runtime's threads.
Error ChooseMeans(const TfLiteContext& context, Isa* isa, size_t* num_threads);

// `role` is what the op takes the tensor for: "input".
Error CheckFloat32(const char* role, const TfLiteTensor& tensor);
// Checks that Eval may write to the tensor: the bytes of a constant lie in the
// model's file.
Error CheckWritable(const TfLiteTensor& output);
// Checks, in Eval, that the tensor has memory, and the size of Prepare: shapes
// of dynamic tensors can change, and a tensor that no op computes has none.
Error CheckMemory(const char* role, const TfLiteTensor& tensor, size_t bytes);

// The number of elements of a tensor with `dims`: batch, height, width,
// channels. False if it is too large for the runtime's integers.
bool CountElements(const std::array<int64_t, 4>& dims, size_t* count);
// Their bytes in float32.
bool CountFloatBytes(const std::array<int64_t, 4>& dims, size_t* bytes);

std::string TypeName(int tflite_type);
int TfLiteTypeOf(int32_t kdc_dtype);
std::string ShapeString(const int64_t* shape, size_t rank);
std::string ShapeString(const TfLiteIntArray* dims);

}  // namespace keras_dc

#endif  // KERAS_DC_SRC_TFLITE_OP_H_
