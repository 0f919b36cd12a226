// The part of the TensorFlow Lite C ABI that custom ops and delegates need.
//
// No TFLite wheel ships headers, so the structs are declared here, as the
// runtimes from tflite-runtime 2.14 to TensorFlow 2.21 and LiteRT 2.3 lay them
// out on 64-bit machines, and tflite-runtime 2.14 on 32-bit Arm. A build that
// has the official headers uses those; define KERAS_DC_OWN_TFLITE_ABI to 1 or 0
// to decide by hand. The assertions at the end hold for either.
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
// 64-bit calling conventions they read its first fields and ignore the rest. On
// 32-bit Arm its size decides where the arguments behind it lie; tflite-runtime
// 2.14 has all of these fields.
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

static_assert(sizeof(int) == 4 && sizeof(bool) == 1 && alignof(int64_t) == 8,
              "the TFLite structs are declared for such machines");
#define KDC_AT_POINTER(type, field, number) \
  static_assert(offsetof(type, field) == (number) * sizeof(void*), #type)
#if UINTPTR_MAX > UINT32_MAX
#define KDC_AT_BYTE(type, field, on_64_bits, on_32_bits) \
  static_assert(offsetof(type, field) == (on_64_bits), #type)
#else
#define KDC_AT_BYTE(type, field, on_64_bits, on_32_bits) \
  static_assert(offsetof(type, field) == (on_32_bits), #type)
#endif

static_assert(offsetof(TfLiteIntArray, data) == 4, "TfLiteIntArray");

static_assert(sizeof(TfLiteTensor) == (sizeof(void*) == 8 ? 112 : 64),
              "TfLiteTensor");
KDC_AT_BYTE(TfLiteTensor, data, 8, 4);
KDC_AT_BYTE(TfLiteTensor, dims, 16, 8);
KDC_AT_BYTE(TfLiteTensor, allocation_type, 32, 20);
KDC_AT_BYTE(TfLiteTensor, bytes, 40, 24);
KDC_AT_BYTE(TfLiteTensor, name, 56, 32);
KDC_AT_BYTE(TfLiteTensor, quantization, 80, 48);

static_assert(sizeof(TfLiteNode) == 10 * sizeof(void*), "TfLiteNode");
KDC_AT_POINTER(TfLiteNode, temporaries, 3);
KDC_AT_POINTER(TfLiteNode, user_data, 4);
KDC_AT_POINTER(TfLiteNode, custom_initial_data, 6);
KDC_AT_POINTER(TfLiteNode, delegate, 8);

static_assert(sizeof(TfLiteRegistration) >= 8 * sizeof(void*),
              "TfLiteRegistration");
KDC_AT_POINTER(TfLiteRegistration, invoke, 3);
KDC_AT_POINTER(TfLiteRegistration, builtin_code, 5);
KDC_AT_POINTER(TfLiteRegistration, custom_name, 6);
KDC_AT_POINTER(TfLiteRegistration, version, 7);

KDC_AT_POINTER(TfLiteContext, tensors, 2);
KDC_AT_POINTER(TfLiteContext, ResizeTensor, 4);
KDC_AT_POINTER(TfLiteContext, ReportError, 5);
KDC_AT_POINTER(TfLiteContext, GetNodeAndRegistration, 7);
KDC_AT_POINTER(TfLiteContext, ReplaceNodeSubsetsWithDelegateKernels, 8);
KDC_AT_POINTER(TfLiteContext, recommended_num_threads, 9);

static_assert(sizeof(TfLiteDelegateParams) == 4 * sizeof(void*),
              "TfLiteDelegateParams");
KDC_AT_POINTER(TfLiteDelegateParams, nodes_to_replace, 1);

KDC_AT_POINTER(TfLiteDelegate, Prepare, 1);
KDC_AT_BYTE(TfLiteDelegate, flags, 40, 24);

#if KERAS_DC_OWN_TFLITE_ABI
static_assert(sizeof(TfLiteRegistration) == (sizeof(void*) == 8 ? 88 : 48),
              "the longest layout so far");
KDC_AT_POINTER(TfLiteContext, GetEvalTensor, 21);
static_assert(sizeof(TfLiteDelegate) == (sizeof(void*) == 8 ? 56 : 40),
              "TfLiteDelegate");
#endif

#undef KDC_AT_POINTER
#undef KDC_AT_BYTE

#endif  // KERAS_DC_TFLITE_ABI_H_
