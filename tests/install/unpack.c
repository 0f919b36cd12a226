// Unpacks a .kdc file, in C.
#include <stdio.h>
#include <stdlib.h>

#include "keras_dc/pack.h"

static int32_t WriteTo(void* file, const uint8_t* bytes, size_t size) {
  return fwrite(bytes, 1, size, (FILE*)file) != size;
}

int main(int argc, char** argv) {
  static uint8_t packed[1 << 20];
  if (argc != 3) return 2;
  FILE* input = fopen(argv[1], "rb");
  FILE* output = fopen(argv[2], "wb");
  if (input == NULL || output == NULL) return 2;
  const size_t size = fread(packed, 1, sizeof packed, input);
  const int32_t status = kdc_unpack_to(packed, size, NULL, 0, WriteTo, output);
  fclose(output);
  puts(kdc_status_message(status));
  return status;
}
