// A program for a bare Cortex-M that decodes blobs with keras_dc/decoder.h and
// prints what came out: see check.py. It prints and ends by semihosting.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "keras_dc/decoder.h"

// What memory.ld places.
extern "C" {
extern uint8_t stack_end[], stack_begin[];
extern uint8_t bss_begin[], bss_end[];
}

struct Blob {
  const char* name;
  const uint8_t* begin;
  const uint8_t* end;
};
extern "C" const Blob blobs[];
extern "C" const uint32_t num_blobs;

namespace {

constexpr uint8_t kUntouched = 0xa5;
constexpr size_t kOutputBytes = 1 << 21;

// The caller's memory and the output; neither is part of .bss.
__attribute__((
    section(".decoder_memory"))) uint8_t memory[KDC_DECODER_MEMORY_BYTES];
__attribute__((section(".output"))) uint8_t output[kOutputBytes];

int32_t Semihost(int32_t operation, const void* argument) {
  register int32_t r0 asm("r0") = operation;
  register const void* r1 asm("r1") = argument;
  asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void Print(const char* text) { Semihost(0x04, text); }

void PrintNumber(uint32_t number) {
  char text[12];
  char* next = text + sizeof(text);
  *--next = '\0';
  do {
    *--next = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  Print(next);
}

[[noreturn]] void Exit(uint32_t status) {
  const uint32_t arguments[] = {0x20026, status};
  Semihost(0x20, arguments);
  for (;;) {
  }
}

// Of IEEE 802.3, bit by bit.
uint32_t Checksum(uint32_t crc, const uint8_t* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
  }
  return crc;
}

// A function of its own, so that the info is not on the stack beside the
// decoder's own variables.
[[gnu::noinline]] bool IsByColumns(const kdc_decoder* decoder) {
  kdc_blob_info info;
  return kdc_decoder_get_info(decoder, &info) == KDC_OK &&
         info.column_major != 0;
}

// By lines if that is the order of the tensor, in one call otherwise.
int32_t Decode(const Blob& blob, uint32_t* checksum) {
  kdc_decoder* decoder = nullptr;
  int32_t status =
      kdc_decoder_open(blob.begin, static_cast<size_t>(blob.end - blob.begin),
                       memory, sizeof(memory), &decoder);
  if (status != KDC_OK) return status;
  const size_t line_size = kdc_decoder_line_size(decoder);
  const size_t num_lines = kdc_decoder_num_lines(decoder);
  if (line_size > sizeof(output)) return KDC_TOO_LARGE;
  uint32_t crc = 0xffffffff;
  if (IsByColumns(decoder)) {
    if (line_size * num_lines > sizeof(output)) return KDC_TOO_LARGE;
    status = kdc_decoder_decode(decoder, output, line_size * num_lines);
    crc = Checksum(crc, output, line_size * num_lines);
  } else {
    for (size_t i = 0; i < num_lines && status == KDC_OK; ++i) {
      status = kdc_decoder_next_line(decoder, output, line_size);
      crc = Checksum(crc, output, line_size);
    }
  }
  *checksum = ~crc;
  return status;
}

void Run() {
  for (uint32_t i = 0; i < num_blobs; ++i) {
    uint32_t checksum = 0;
    const int32_t status = Decode(blobs[i], &checksum);
    Print(blobs[i].name);
    Print(" ");
    PrintNumber(static_cast<uint32_t>(status));
    Print(" ");
    PrintNumber(status == KDC_OK ? checksum : 0);
    Print("\n");
  }
}

}  // namespace

extern "C" [[noreturn]] void Reset() {
  memset(bss_begin, 0, static_cast<size_t>(bss_end - bss_begin));
  // Below the stack pointer nothing is in use yet.
  volatile uint8_t* here = static_cast<uint8_t*>(__builtin_frame_address(0));
  for (volatile uint8_t* byte = stack_end; byte < here - 128; ++byte) {
    *byte = kUntouched;
  }
  Run();
  const uint8_t* lowest = stack_end;
  while (*lowest == kUntouched) ++lowest;
  Print("stack ");
  PrintNumber(static_cast<uint32_t>(stack_begin - lowest));
  Print("\n");
  Exit(0);
}

extern "C" [[noreturn]] void Fault() {
  Print("fault\n");
  Exit(1);
}

extern "C"
    __attribute__((section(".vectors"), used)) void (*const vectors[16])() = {
        reinterpret_cast<void (*)()>(stack_begin),
        Reset,
        Fault,
        Fault,
        Fault,
        Fault,
        Fault,
        nullptr,
        nullptr,
        nullptr,
        nullptr,
        Fault,
        Fault,
        nullptr,
        Fault,
        Fault};
