# The decoder for microcontrollers: a static library without heap, exceptions and
# threads, with small tables.
add_library(keras_dc_small STATIC ${KERAS_DC_SMALL_SOURCES})
add_library(keras_dc::keras_dc_small ALIAS keras_dc_small)
target_include_directories(keras_dc_small PUBLIC
  "${PROJECT_SOURCE_DIR}/include" PRIVATE "${PROJECT_SOURCE_DIR}/src")
target_compile_definitions(keras_dc_small PRIVATE KDC_BUILDING KERAS_DC_SMALL)
if(NOT MSVC)
  target_compile_options(keras_dc_small PRIVATE
    -Wall -Wextra -Wshadow
    $<$<BOOL:${KERAS_DC_WARNINGS_AS_ERRORS}>:-Werror>
    -fno-exceptions -fno-rtti -fno-threadsafe-statics
    -fno-unwind-tables -fno-asynchronous-unwind-tables
    # What a program does not call is left out of it, with --gc-sections.
    -ffunction-sections -fdata-sections)
endif()
include(GNUInstallDirs)
install(TARGETS keras_dc_small ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/keras_dc/codec.h include/keras_dc/decoder.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/keras_dc)
