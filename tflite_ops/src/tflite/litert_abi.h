// What LiteRT and its accelerators share, as LiteRT 2.2 and 2.3 have it: no
// wheel and no release of it has a header with these. LiteRT numbers this ABI.
#ifndef KERAS_DC_TFLITE_LITERT_ABI_H_
#define KERAS_DC_TFLITE_LITERT_ABI_H_

#include <cstddef>
#include <cstdint>

#include "keras_dc/tflite_abi.h"

extern "C" {

// Of LiteRtStatus, those that are returned here.
enum : int {
  kLiteRtOk = 0,
  kLiteRtInvalidArgument = 1,
  kLiteRtMemoryAllocationFailure = 2,
  kLiteRtWrongVersion = 8,
};
// Of the set of kinds of hardware, the processor.
enum : int { kLiteRtCpu = 1 };

// Begins what LiteRT and a plug-in share. A larger major number is another
// layout; a larger minor one has more at the end.
struct LiteRtAbiHeader {
  uint16_t struct_size, major_version, minor_version, reserved;
};
constexpr uint16_t kLiteRtMajorVersion = 1;

struct LiteRtVersion {
  int major_number, minor_number, patch;
};

// The functions of LiteRT that an accelerator may call.
struct LiteRtRuntimeContext {
  LiteRtAbiHeader header;
  void (*other[17])();
  int (*wrap_delegate)(TfLiteDelegate* delegate,
                       void (*destroy)(TfLiteDelegate* delegate),
                       void** wrapper);
};

using LiteRtCreateDelegate = int(LiteRtRuntimeContext* context,
                                 void* environment, const void* accelerator,
                                 void* options, void** wrapper);

// What a library holds that LiteRT loads as an accelerator, under the name
// LiteRtAcceleratorImpl.
struct LiteRtAcceleratorDef {
  LiteRtAbiHeader header;
  int (*get_name)(const void* accelerator, const char** name);
  int (*get_version)(const void* accelerator, LiteRtVersion* version);
  int (*get_hardware)(const void* accelerator, int* hardware);
  int (*compiles)(const void* accelerator, bool* compiles);
  LiteRtCreateDelegate* create_delegate;
  void (*start_metrics)();
  void (*stop_metrics)();
  void (*other)();
  // For kinds of memory of its own.
  uint64_t buffer_handlers[16];
};

}  // extern "C"

static_assert(sizeof(void*) != 8 ||
              (offsetof(LiteRtRuntimeContext, wrap_delegate) == 144 &&
               offsetof(LiteRtAcceleratorDef, create_delegate) == 40 &&
               sizeof(LiteRtAcceleratorDef) == 200));

#endif  // KERAS_DC_TFLITE_LITERT_ABI_H_
