// A layer on a microcontroller, in C: its weights stay compressed in flash, and
// are decoded line by line while the layer is computed.
//
// weights.h is made in Python (docs/microcontrollers.md): `weights`, a blob of
// float32 of shape (UNITS, INPUTS).
#include "keras_dc/decoder.h"
#include "weights.h"

// output = weights * input. Returns a kdc_status.
int32_t layer(const float* input, float* output) {
  static uint8_t memory[KDC_DECODER_MEMORY_BYTES];
  static float line[UNITS > INPUTS ? UNITS : INPUTS];
  kdc_decoder* decoder;
  kdc_blob_info info;
  int32_t status = kdc_decoder_open(weights, sizeof weights, memory,
                                    sizeof memory, &decoder);
  if (status != KDC_OK) return status;
  kdc_decoder_get_info(decoder, &info);
  for (int unit = 0; unit < UNITS; ++unit) output[unit] = 0;
  const int num_lines = (int)kdc_decoder_num_lines(decoder);
  const size_t line_size = kdc_decoder_line_size(decoder);
  for (int i = 0; i < num_lines; ++i) {
    status = kdc_decoder_next_line(decoder, line, line_size);
    if (status != KDC_OK) return status;
    if (info.column_major) {  // the weights of an input
      for (int unit = 0; unit < UNITS; ++unit)
        output[unit] += line[unit] * input[i];
    } else {  // the weights of a unit
      for (int j = 0; j < INPUTS; ++j) output[i] += line[j] * input[j];
    }
  }
  return KDC_OK;
}
