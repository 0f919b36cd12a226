# Code for one instruction set each, chosen at run time. A compiler or a machine
# that knows none of them has the portable code alone.
if(MSVC OR KERAS_DC_PORTABLE)
  set(KERAS_DC_MACHINE "portable")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(KERAS_DC_MACHINE "x86")
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  set(KERAS_DC_MACHINE "arm64")
else()
  set(KERAS_DC_MACHINE "portable")
endif()

if(KERAS_DC_MACHINE STREQUAL "x86")
  add_compile_definitions(KERAS_DC_X86_KERNELS)
  list(APPEND KERAS_DC_DECODER_SOURCES
    src/bytes/mixer_loops_avx2.cc
    src/common/crc32_clmul.cc
    src/decode/gap_walk_avx512.cc
    src/decode/symbol_lanes_bmi2.cc
    src/decode/symbol_lanes_vbmi2.cc)
  list(APPEND KERAS_DC_OPS_SOURCES
    src/kernels/tile/dense_rows_avx512.cc
    src/kernels/tile/int8_lockstep_avx2.cc
    src/kernels/tile/int8_lockstep_vnni.cc
    src/kernels/tile/int8_tile_avx2.cc
    src/kernels/tile/int8_tile_vnni.cc
    src/kernels/tile/lockstep_avx512.cc
    src/kernels/tile/requantize_avx512.h
    src/kernels/tile/tile_avx2.cc
    src/kernels/tile/tile_avx512.cc
    src/kernels/tile/transpose_avx.h)
  # GCC 12 warns of its own headers.
  set(avx512 "-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mfma;-mpopcnt"
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-uninitialized>")
  set_source_files_properties(
    src/kernels/tile/int8_lockstep_avx2.cc src/kernels/tile/int8_tile_avx2.cc
    src/kernels/tile/tile_avx2.cc
    PROPERTIES COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties(
    src/kernels/tile/int8_lockstep_vnni.cc src/kernels/tile/int8_tile_vnni.cc
    PROPERTIES COMPILE_OPTIONS "${avx512};-mavx512vnni;-mavx512vbmi")
  set_source_files_properties(src/bytes/mixer_loops_avx2.cc
    PROPERTIES COMPILE_OPTIONS "-mavx2")
  set_source_files_properties(src/common/crc32_clmul.cc
    PROPERTIES COMPILE_OPTIONS "-msse4.1;-mpclmul")
  set_source_files_properties(src/decode/symbol_lanes_bmi2.cc
    PROPERTIES COMPILE_OPTIONS "-mbmi2")
  set_source_files_properties(src/decode/symbol_lanes_vbmi2.cc
    PROPERTIES COMPILE_OPTIONS "${avx512};-mavx512vbmi2;-mbmi2;-mlzcnt")
  set_source_files_properties(
    src/kernels/tile/dense_rows_avx512.cc
    src/kernels/tile/lockstep_avx512.cc src/kernels/tile/tile_avx512.cc
    src/decode/gap_walk_avx512.cc
    PROPERTIES COMPILE_OPTIONS "${avx512}")
  # Linux gives matrix registers to those who ask.
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag("-mamx-tile -mamx-int8" KERAS_DC_COMPILES_AMX)
  if(KERAS_DC_COMPILES_AMX AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_compile_definitions(KERAS_DC_AMX_KERNELS)
    list(APPEND KERAS_DC_OPS_SOURCES src/kernels/tile/matrix_tile_amx.cc)
    set_source_files_properties(src/kernels/tile/matrix_tile_amx.cc
      PROPERTIES COMPILE_OPTIONS "${avx512};-mavx512vnni;-mamx-tile;-mamx-int8")
  endif()
elseif(KERAS_DC_MACHINE STREQUAL "arm64")
  add_compile_definitions(KERAS_DC_NEON_KERNELS)
  list(APPEND KERAS_DC_DECODER_SOURCES
    src/common/crc32_arm.cc
    src/decode/gap_walk_neon.cc)
  list(APPEND KERAS_DC_OPS_SOURCES
    src/kernels/tile/dense_rows_neon.cc
    src/kernels/tile/int8_lockstep_neon_impl.h
    src/kernels/tile/int8_tile_neon.cc
    src/kernels/tile/int8_tile_neon_dot.cc
    src/kernels/tile/int8_tile_neon_impl.h
    src/kernels/tile/tile_neon.cc)
  # GCC would load so far ahead that the sums of a tile no longer fit the registers.
  set_source_files_properties(src/kernels/tile/tile_neon.cc
    PROPERTIES COMPILE_OPTIONS "$<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>")
  # The first of two is for GCC, the second for clang and zig.
  set_source_files_properties(src/common/crc32_arm.cc
    PROPERTIES COMPILE_OPTIONS
      "$<IF:$<CXX_COMPILER_ID:GNU>,-march=armv8-a+crc,-mcpu=generic+crc>")
  set_source_files_properties(src/kernels/tile/int8_tile_neon_dot.cc
    PROPERTIES COMPILE_OPTIONS
      "$<IF:$<CXX_COMPILER_ID:GNU>,-march=armv8.2-a+dotprod,-mcpu=generic+dotprod>")
endif()
