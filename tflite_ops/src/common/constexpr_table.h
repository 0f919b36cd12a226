// Tables are computed by the compiler. Where a program is downloaded they would
// be a third of it: WebAssembly computes them when it starts.
#ifndef KERAS_DC_SRC_COMMON_CONSTEXPR_TABLE_H_
#define KERAS_DC_SRC_COMMON_CONSTEXPR_TABLE_H_

#if defined(__wasm__)
#define KERAS_DC_CONSTEXPR
#else
#define KERAS_DC_CONSTEXPR constexpr
#endif

#endif  // KERAS_DC_SRC_COMMON_CONSTEXPR_TABLE_H_
