// Runs a keras_dc library over golden files, on whatever machine this is.
//
//   golden_files LIBRARY LIST
//
// A line of LIST is `blob INPUT OUTPUT`, `pack INPUT OUTPUT` or `patch INPUT
// OUTPUT BASE`; paths have no spaces. For each line there is one on stdout: the
// status, and the shape of a blob. OUTPUT gets what the file decodes to. A blob
// is decoded and encoded again: OUTPUT.again gets that blob.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keras_dc/codec.h"
#include "keras_dc/pack.h"

// With GOLDEN_FILES_LINKED the library is part of the program, and LIBRARY is
// not looked at.
#if defined(GOLDEN_FILES_LINKED)
static int Load(const char* path) { return path != NULL; }
#elif defined(_WIN32)
#include <windows.h>
static HMODULE library;
static void* Find(const char* name) {
  return (void*)GetProcAddress(library, name);
}
static int Load(const char* path) {
  library = LoadLibraryA(path);
  if (library == NULL) fprintf(stderr, "error %lu: ", GetLastError());
  return library != NULL;
}
#else
#include <dlfcn.h>
static void* library;
static void* Find(const char* name) { return dlsym(library, name); }
static int Load(const char* path) {
  library = dlopen(path, RTLD_NOW);
  if (library == NULL) fprintf(stderr, "%s: ", dlerror());
  return library != NULL;
}
#endif

enum { kMaxPath = 1024 };

typedef struct Bytes {
  unsigned char* data;
  size_t size;
} Bytes;

// Each function of the library is found once, by name.
#define FUNCTIONS(DO)   \
  DO(kdc_open)          \
  DO(kdc_close)         \
  DO(kdc_get_info)      \
  DO(kdc_decode)        \
  DO(kdc_encode)        \
  DO(kdc_bytes_data)    \
  DO(kdc_bytes_size)    \
  DO(kdc_free_bytes)    \
  DO(kdc_unpacked_size) \
  DO(kdc_unpack)        \
  DO(kdc_instruction_set)
#define DECLARE(name) static __typeof__(name)* name##_;
FUNCTIONS(DECLARE)

static void Fail(const char* what, const char* path) {
  fprintf(stderr, "%s: %s\n", what, path);
  exit(2);
}

static Bytes Read(const char* path) {
  Bytes bytes = {NULL, 0};
  FILE* file = fopen(path, "rb");
  if (file == NULL) Fail("cannot be read", path);
  fseek(file, 0, SEEK_END);
  bytes.size = (size_t)ftell(file);
  rewind(file);
  bytes.data = malloc(bytes.size + 1);
  if (fread(bytes.data, 1, bytes.size, file) != bytes.size) {
    Fail("cannot be read", path);
  }
  fclose(file);
  return bytes;
}

static void Write(const char* path, const char* end, const void* data,
                  size_t size) {
  char name[kMaxPath + 8];
  snprintf(name, sizeof name, "%s%s", path, end);
  FILE* file = fopen(name, "wb");
  if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file)) {
    Fail("cannot be written", name);
  }
}

static int DoBlob(const Bytes* input, const char* output) {
  static const int kItemBytes[] = {4, 2, 2, 1, 1};
  kdc_blob* blob = NULL;
  kdc_blob_info info;
  int status = kdc_open_(input->data, input->size, &blob);
  if (status == KDC_OK) status = kdc_get_info_(blob, &info);
  if (status != KDC_OK) return status;
  const size_t size = (size_t)info.num_weights * kItemBytes[info.dtype];
  void* values = malloc(size + 1);
  status = kdc_decode_(blob, values, size);
  kdc_bytes* again = NULL;
  if (status == KDC_OK) {
    Write(output, "", values, size);
    printf("[");
    for (int i = 0; i < info.rank; ++i) {
      printf(i == 0 ? "%lld" : ", %lld", (long long)info.shape[i]);
    }
    printf("] ");
    status = kdc_encode_(values, info.dtype, info.shape, info.rank, &again);
  }
  if (status == KDC_OK) {
    Write(output, ".again", kdc_bytes_data_(again), kdc_bytes_size_(again));
  }
  kdc_free_bytes_(again);
  kdc_close_(blob);
  free(values);
  return status;
}

static int DoPack(const Bytes* input, const Bytes* base, const char* output) {
  size_t size = 0;
  int status = kdc_unpacked_size_(input->data, input->size, &size);
  if (status != KDC_OK) return status;
  unsigned char* out = malloc(size + 1);
  status =
      kdc_unpack_(input->data, input->size, base->data, base->size, out, size);
  if (status == KDC_OK) Write(output, "", out, size);
  free(out);
  return status;
}

int main(int argc, char** argv) {
  if (argc != 3) Fail("usage", "golden_files LIBRARY LIST");
  if (!Load(argv[1])) Fail("cannot be loaded", argv[1]);
#if defined(GOLDEN_FILES_LINKED)
#define LOOK_UP(name) name##_ = name;
  FUNCTIONS(LOOK_UP)
#else
#define LOOK_UP(name)                               \
  name##_ = (__typeof__(name)*)(size_t)Find(#name); \
  if (name##_ == NULL) Fail("is not in the library", #name);
  FUNCTIONS(LOOK_UP)
  // A runtime looks for this one.
  if (Find("tflite_plugin_create_delegate") == NULL) {
    Fail("is not in the library", "tflite_plugin_create_delegate");
  }
#endif
  FILE* list = fopen(argv[2], "r");
  if (list == NULL) Fail("cannot be read", argv[2]);
  char kind[8], input[kMaxPath], output[kMaxPath], base[kMaxPath];
  while (fscanf(list, "%7s %1023s %1023s", kind, input, output) == 3) {
    Bytes bytes = Read(input), old = {NULL, 0};
    int status;
    if (strcmp(kind, "blob") == 0) {
      status = DoBlob(&bytes, output);
    } else {
      if (strcmp(kind, "patch") == 0) {
        if (fscanf(list, "%1023s", base) != 1) Fail("has no base", input);
        old = Read(base);
      }
      status = DoPack(&bytes, &old, output);
    }
    printf("%d\n", status);
    free(bytes.data);
    free(old.data);
  }
  fclose(list);
  printf("%s\n", kdc_instruction_set_());
  return 0;
}
