// The part of the TensorFlow Lite C ABI that custom ops and delegates need.
//
// No TFLite wheel ships headers, so the structs are declared here, as the
// runtimes from tflite-runtime 2.14 to TensorFlow 2.21 and LiteRT 2.3 lay them
// out on 64-bit machines. A build that has the official headers uses those;
// define KERAS_DC_OWN_TFLITE_ABI to 1 or 0 to decide by hand. The assertions at
// the end hold for either.
#ifndef KERAS_DC_TFLITE_ABI_H_
#define KERAS_DC_TFLITE_ABI_H_

#include <cstddef>
#include <cstdint>

#if !defined(KERAS_DC_OWN_TFLITE_ABI)
#if __has_include("tensorflow/lite/c/common.h") || \
                  __has_include("tflite/c/common.h")
#define KERAS_DC_OWN_TFLITE_ABI 0
#else
#define KERAS_DC_OWN_TFLITE_ABI 1
#endif
#endif

#if !KERAS_DC_OWN_TFLITE_ABI

#if __has_include("tflite/c/common.h")
#include "tflite/c/common.h"
#else
#include "tensorflow/lite/c/common.h"
#endif

#else  // KERAS_DC_OWN_TFLITE_ABI

extern "C" {

typedef enum TfLiteStatus {
  kTfLiteOk = 0,
  kTfLiteError = 1,
} TfLiteStatus;

typedef enum TfLiteType {
  kTfLiteNoType = 0,
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteUInt8 = 3,
  kTfLiteInt64 = 4,
  kTfLiteInt8 = 9,
  kTfLiteFloat16 = 10,
  kTfLiteBFloat16 = 19,
} TfLiteType;

typedef enum TfLiteAllocationType {
  kTfLiteMemNone = 0,
  kTfLiteMmapRo = 1,
  kTfLiteArenaRw = 2,
  kTfLiteArenaRwPersistent = 3,
  kTfLiteDynamic = 4,
  kTfLitePersistentRo = 5,
} TfLiteAllocationType;

typedef enum TfLiteDelegateFlags {
  kTfLiteDelegateFlagsNone = 0,
  kTfLiteDelegateFlagsAllowDynamicTensors = 1,
} TfLiteDelegateFlags;

struct TfLiteContext;
struct TfLiteDelegate;
struct TfLiteNode;

typedef struct TfLiteIntArray {
  int size;
  int data[];
} TfLiteIntArray;

typedef union TfLitePtrUnion {
  void* data;
  char* raw;
  float* f;
  int32_t* i32;
  uint8_t* uint8;
  int8_t* int8;
} TfLitePtrUnion;

typedef struct TfLiteQuantizationParams {
  float scale;
  int32_t zero_point;
} TfLiteQuantizationParams;

typedef struct TfLiteQuantization {
  int type;
  void* params;
} TfLiteQuantization;

typedef struct TfLiteTensor {
  TfLiteType type;
  TfLitePtrUnion data;
  TfLiteIntArray* dims;
  TfLiteQuantizationParams params;
  TfLiteAllocationType allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  TfLiteDelegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  TfLiteQuantization quantization;
  void* sparsity;
  const TfLiteIntArray* dims_signature;
} TfLiteTensor;

typedef struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  TfLiteIntArray* temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  TfLiteDelegate* delegate;
  bool might_have_side_effect;
} TfLiteNode;

// A runtime takes this struct by value. Older runtimes know a shorter one: on
// 64-bit calling conventions they read its first fields and ignore the rest.
typedef struct TfLiteRegistration {
  void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
  void (*free)(TfLiteContext* context, void* buffer);
  TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
  TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
  const char* (*profiling_string)(const TfLiteContext* context,
                                  const TfLiteNode* node);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* (*async_kernel)(TfLiteContext* context, TfLiteNode* node);
  uint64_t inplace_operator;
} TfLiteRegistration;

typedef struct TfLiteDelegateParams {
  TfLiteDelegate* delegate;
  TfLiteIntArray* nodes_to_replace;
  TfLiteIntArray* input_tensors;
  TfLiteIntArray* output_tensors;
} TfLiteDelegateParams;

typedef struct TfLiteContext {
  size_t tensors_size;
  TfLiteStatus (*GetExecutionPlan)(TfLiteContext* context,
                                   TfLiteIntArray** execution_plan);
  TfLiteTensor* tensors;
  void* impl_;
  // Takes ownership of `new_size`, which must come from malloc.
  TfLiteStatus (*ResizeTensor)(TfLiteContext* context, TfLiteTensor* tensor,
                               TfLiteIntArray* new_size);
  void (*ReportError)(TfLiteContext* context, const char* format, ...);
  TfLiteStatus (*AddTensors)(TfLiteContext* context, int count,
                             int* first_new_index);
  TfLiteStatus (*GetNodeAndRegistration)(TfLiteContext* context, int node_index,
                                         TfLiteNode** node,
                                         TfLiteRegistration** registration);
  TfLiteStatus (*ReplaceNodeSubsetsWithDelegateKernels)(
      TfLiteContext* context, TfLiteRegistration registration,
      const TfLiteIntArray* nodes_to_replace, TfLiteDelegate* delegate);
  int recommended_num_threads;
  void* (*GetExternalContext)(TfLiteContext* context, int type);
  void (*SetExternalContext)(TfLiteContext* context, int type, void* external);
  bool allow_fp32_relax_to_fp16;
  void* profiler;
  void* (*AllocatePersistentBuffer)(TfLiteContext* context, size_t size_bytes);
  TfLiteStatus (*AllocateBufferForEval)(TfLiteContext* context,
                                        size_t size_bytes, void** buffer);
  TfLiteStatus (*RequestScratchBufferInArena)(TfLiteContext* context,
                                              size_t size_bytes, int* index);
  void* (*GetScratchBuffer)(TfLiteContext* context, int index);
  TfLiteStatus (*ResizeTensorExplicit)(TfLiteContext* context,
                                       TfLiteTensor* tensor, int rank,
                                       const int* shape);
  TfLiteStatus (*PreviewDelegatePartitioning)(
      TfLiteContext* context, const TfLiteIntArray* nodes_to_replace,
      TfLiteDelegateParams** partitions, int* num_partitions);
  TfLiteTensor* (*GetTensor)(const TfLiteContext* context, int index);
  void* (*GetEvalTensor)(const TfLiteContext* context, int index);
} TfLiteContext;

typedef struct TfLiteDelegate {
  void* data_;
  TfLiteStatus (*Prepare)(TfLiteContext* context, TfLiteDelegate* delegate);
  TfLiteStatus (*CopyFromBufferHandle)(TfLiteContext* context,
                                       TfLiteDelegate* delegate, int handle,
                                       TfLiteTensor* tensor);
  TfLiteStatus (*CopyToBufferHandle)(TfLiteContext* context,
                                     TfLiteDelegate* delegate, int handle,
                                     TfLiteTensor* tensor);
  void (*FreeBufferHandle)(TfLiteContext* context, TfLiteDelegate* delegate,
                           int* handle);
  int64_t flags;
  void* opaque_delegate_builder;
} TfLiteDelegate;

}  // extern "C"

#endif  // KERAS_DC_OWN_TFLITE_ABI

static_assert(sizeof(void*) == 8 && sizeof(int) == 4 && sizeof(bool) == 1,
              "the TFLite structs are declared for 64-bit machines");

static_assert(offsetof(TfLiteIntArray, data) == 4, "TfLiteIntArray");

static_assert(sizeof(TfLiteTensor) == 112, "TfLiteTensor");
static_assert(offsetof(TfLiteTensor, data) == 8, "TfLiteTensor");
static_assert(offsetof(TfLiteTensor, dims) == 16, "TfLiteTensor");
static_assert(offsetof(TfLiteTensor, allocation_type) == 32, "TfLiteTensor");
static_assert(offsetof(TfLiteTensor, bytes) == 40, "TfLiteTensor");
static_assert(offsetof(TfLiteTensor, name) == 56, "TfLiteTensor");
static_assert(offsetof(TfLiteTensor, quantization) == 80, "TfLiteTensor");

static_assert(sizeof(TfLiteNode) == 80, "TfLiteNode");
static_assert(offsetof(TfLiteNode, temporaries) == 24, "TfLiteNode");
static_assert(offsetof(TfLiteNode, user_data) == 32, "TfLiteNode");
static_assert(offsetof(TfLiteNode, custom_initial_data) == 48, "TfLiteNode");
static_assert(offsetof(TfLiteNode, delegate) == 64, "TfLiteNode");

static_assert(sizeof(TfLiteRegistration) >= 64, "TfLiteRegistration");
static_assert(offsetof(TfLiteRegistration, invoke) == 24, "TfLiteRegistration");
static_assert(offsetof(TfLiteRegistration, builtin_code) == 40,
              "TfLiteRegistration");
static_assert(offsetof(TfLiteRegistration, custom_name) == 48,
              "TfLiteRegistration");
static_assert(offsetof(TfLiteRegistration, version) == 56,
              "TfLiteRegistration");

static_assert(offsetof(TfLiteContext, tensors) == 16, "TfLiteContext");
static_assert(offsetof(TfLiteContext, ResizeTensor) == 32, "TfLiteContext");
static_assert(offsetof(TfLiteContext, ReportError) == 40, "TfLiteContext");
static_assert(offsetof(TfLiteContext, GetNodeAndRegistration) == 56,
              "TfLiteContext");
static_assert(offsetof(TfLiteContext, ReplaceNodeSubsetsWithDelegateKernels) ==
                  64,
              "TfLiteContext");
static_assert(offsetof(TfLiteContext, recommended_num_threads) == 72,
              "TfLiteContext");

static_assert(sizeof(TfLiteDelegateParams) == 32, "TfLiteDelegateParams");
static_assert(offsetof(TfLiteDelegateParams, nodes_to_replace) == 8,
              "TfLiteDelegateParams");

static_assert(sizeof(TfLiteDelegate) >= 48, "TfLiteDelegate");
static_assert(offsetof(TfLiteDelegate, Prepare) == 8, "TfLiteDelegate");
static_assert(offsetof(TfLiteDelegate, flags) == 40, "TfLiteDelegate");

#if KERAS_DC_OWN_TFLITE_ABI
static_assert(sizeof(TfLiteRegistration) == 88, "the longest layout so far");
static_assert(offsetof(TfLiteContext, GetEvalTensor) == 168, "TfLiteContext");
static_assert(sizeof(TfLiteDelegate) == 56, "TfLiteDelegate");
#endif

#endif  // KERAS_DC_TFLITE_ABI_H_
