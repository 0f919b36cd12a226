// The delegate as an accelerator of LiteRT: a program adds it to an environment
// by kdc_add_to_litert; Python's CompiledModel, whose LiteRT exports nothing,
// loads this library as a plug-in and finds LiteRtAcceleratorImpl.
#include "tflite/litert_accelerator.h"

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include <atomic>
#include <type_traits>

#include "keras_dc/delegate.h"
#include "keras_dc/litert.h"
#include "keras_dc/tflite_abi.h"
#include "tflite/litert_abi.h"

namespace keras_dc {
namespace {

std::atomic<int64_t> num_delegates{0};

int GetName(const void*, const char** name) {
  *name = "keras_dc";
  return kLiteRtOk;
}

int GetVersion(const void*, LiteRtVersion* version) {
  *version = {0, 1, 0};
  return kLiteRtOk;
}

int GetHardware(const void*, int* hardware) {
  *hardware = kLiteRtCpu;
  return kLiteRtOk;
}

int CompilesNothing(const void*, bool* compiles) {
  *compiles = false;
  return kLiteRtOk;
}

template <bool kLowMemory>
int CreateDelegate(LiteRtRuntimeContext* context, void*, const void*, void*,
                   void** wrapper) {
  if (context == nullptr || wrapper == nullptr) return kLiteRtInvalidArgument;
  if (context->header.major_version != kLiteRtMajorVersion ||
      context->header.struct_size < sizeof(LiteRtRuntimeContext)) {
    return kLiteRtWrongVersion;
  }
  char key[] = "low_memory", value[] = "true";
  char *keys[] = {key}, *values[] = {value};
  TfLiteDelegate* delegate =
      tflite_plugin_create_delegate(keys, values, kLowMemory ? 1 : 0, nullptr);
  if (delegate == nullptr) return kLiteRtMemoryAllocationFailure;
  const int status =
      context->wrap_delegate(delegate, tflite_plugin_destroy_delegate, wrapper);
  if (status != kLiteRtOk) {
    tflite_plugin_destroy_delegate(delegate);
    return status;
  }
  ++num_delegates;
  return kLiteRtOk;
}

// Looks in what the process has loaded, if `library` is null.
void* FindInLibrary(void* library, const char* name) {
#ifdef _WIN32
  const HMODULE module = library != nullptr ? static_cast<HMODULE>(library)
                                            : GetModuleHandleA("libLiteRt.dll");
  if (module == nullptr) return nullptr;
  return reinterpret_cast<void*>(GetProcAddress(module, name));
#else
  return dlsym(library != nullptr ? library : RTLD_DEFAULT, name);
#endif
}

}  // namespace

const char* AddToLiteRt(void* environment, bool low_memory, void* litert,
                        FindSymbol* find_symbol) {
  if (environment == nullptr) return "the environment of LiteRT is null";
  // Sets a pointer to what LiteRT has by that name; whether it has it.
  const auto find = [&](const char* name, auto** function) {
    *function = reinterpret_cast<std::remove_reference_t<decltype(*function)>>(
        find_symbol(litert, name));
    return *function != nullptr;
  };
  int (*create)(void** accelerator);
  int (*destroy)(void* accelerator);
  int (*set_name)(void* accelerator, decltype(GetName)*);
  int (*set_version)(void* accelerator, decltype(GetVersion)*);
  int (*set_hardware)(void* accelerator, decltype(GetHardware)*);
  int (*set_create)(void* accelerator, LiteRtCreateDelegate*);
  int (*register_it)(void* environment, void* accelerator, void* data,
                     void (*release)(void* data));
  if (!find("LiteRtCreateAccelerator", &create)) {
    return "there is no LiteRT with functions for accelerators in this process:"
           " give the handle of its library";
  }
  // The table of its functions came with the ABI of litert_abi.h.
  if (find_symbol(litert, "kLiteRtRuntimeBuiltin") == nullptr) {
    return "this LiteRT is older than 2.2, and adds accelerators by functions "
           "of other arguments";
  }
  if (!find("LiteRtDestroyAccelerator", &destroy) ||
      !find("LiteRtSetAcceleratorGetName", &set_name) ||
      !find("LiteRtSetAcceleratorGetVersion", &set_version) ||
      !find("LiteRtSetAcceleratorGetHardwareSupport", &set_hardware) ||
      !find("LiteRtSetDelegateFunction", &set_create) ||
      !find("LiteRtRegisterAccelerator", &register_it)) {
    return "this LiteRT is newer than 2.3, and lacks a function for "
           "accelerators";
  }
  void* accelerator = nullptr;
  if (create(&accelerator) != kLiteRtOk) {
    return "LiteRT could not make an accelerator";
  }
  if (set_name(accelerator, GetName) != kLiteRtOk ||
      set_version(accelerator, GetVersion) != kLiteRtOk ||
      set_hardware(accelerator, GetHardware) != kLiteRtOk ||
      set_create(accelerator,
                 low_memory ? CreateDelegate<true> : CreateDelegate<false>) !=
          kLiteRtOk) {
    destroy(accelerator);
    return "LiteRT refused a function of the accelerator";
  }
  // The environment owns the accelerator from here on, whatever is returned.
  if (register_it(environment, accelerator, nullptr, nullptr) != kLiteRtOk) {
    return "LiteRT refused the accelerator";
  }
  return nullptr;
}

}  // namespace keras_dc

extern "C" {

// Read by LiteRT alone.
KDC_EXPORT extern const LiteRtAcceleratorDef LiteRtAcceleratorImpl;
const LiteRtAcceleratorDef LiteRtAcceleratorImpl = {
    {sizeof(LiteRtAcceleratorDef), kLiteRtMajorVersion, 0, 0},
    keras_dc::GetName,
    keras_dc::GetVersion,
    keras_dc::GetHardware,
    keras_dc::CompilesNothing,
    keras_dc::CreateDelegate<false>,
    nullptr,
    nullptr,
    nullptr,
    {}};

KDC_EXPORT int64_t kdc_num_litert_delegates(void) {
  return keras_dc::num_delegates;
}

KDC_EXPORT const char* kdc_add_to_litert(void* environment, void* library,
                                         int32_t low_memory) {
  return keras_dc::AddToLiteRt(environment, low_memory != 0, library,
                               keras_dc::FindInLibrary);
}

}  // extern "C"
