# keras_dc.wasm: unpacks packed files in browsers and in node, by emscripten. It
# stands alone: tflite_ops/js has all of its JavaScript.
if(NOT EMSCRIPTEN)
  message(FATAL_ERROR "KERAS_DC_WEB needs emscripten: emcmake cmake ...")
endif()

# Of the C functions those of packed files alone: what they reach is downloaded.
set(sources
  ${KERAS_DC_DECODER_SOURCES}
  src/api/web.cc)
list(FILTER sources EXCLUDE REGEX "^src/api/(codec|decoder|status)\\.cc$")
add_executable(keras_dc_web ${sources})
set_target_properties(keras_dc_web PROPERTIES OUTPUT_NAME keras_dc SUFFIX .wasm)
target_include_directories(keras_dc_web PRIVATE include src)
target_compile_definitions(keras_dc_web PRIVATE KDC_BUILDING KERAS_DC_NO_THREADS)

# Small, and fast where it counts: -Os would take three times as long, since it
# calls what one instruction does. Browsers of 2021 know these instructions.
set(instructions -mbulk-memory -msign-ext -mnontrapping-fptoint)
target_compile_options(keras_dc_web PRIVATE
  -O2 -fno-unroll-loops "SHELL:-mllvm -inline-threshold=50" ${instructions}
  -Wall -Wextra -Wshadow $<$<BOOL:${KERAS_DC_WARNINGS_AS_ERRORS}>:-Werror>
  # Where memory runs out the program stops, and JavaScript throws it away.
  -fno-exceptions -fno-rtti -fno-threadsafe-statics)
target_link_options(keras_dc_web PRIVATE
  -Os ${instructions} -fno-exceptions --no-entry
  "SHELL:-s STANDALONE_WASM=1" "SHELL:-s FILESYSTEM=0" "SHELL:-s MALLOC=emmalloc"
  "SHELL:-s ALLOW_MEMORY_GROWTH=1" "SHELL:-s INITIAL_MEMORY=1MB"
  "SHELL:-s MAXIMUM_MEMORY=2GB" "SHELL:-s TOTAL_STACK=256KB"
  # The one function that JavaScript gives: src/api/web.cc.
  "SHELL:-s ERROR_ON_UNDEFINED_SYMBOLS=0" "SHELL:-s WARN_ON_UNDEFINED_SYMBOLS=0")
install(TARGETS keras_dc_web RUNTIME DESTINATION .)
install(FILES "${PROJECT_SOURCE_DIR}/../LICENSE" DESTINATION .)
