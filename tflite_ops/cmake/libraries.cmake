# The libraries, and how they are installed.

# Makes a library of objects. It is installed for C++ projects, which find it as
# keras_dc::NAME, unless a wheel is built.
function(keras_dc_add_library name)
  add_library(${name})
  add_library(keras_dc::${name} ALIAS ${name})
  foreach(objects ${ARGN})
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:${objects}>)
    target_link_libraries(${name} PRIVATE $<BUILD_INTERFACE:${objects}>)
  endforeach()
  target_include_directories(${name} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(KERAS_DC_THREADS AND NOT BUILD_SHARED_LIBS)
    target_link_libraries(${name} INTERFACE Threads::Threads)
  endif()
  # A wheel holds one file, of the name that keras_dc/codec/library.py knows.
  if(NOT SKBUILD)
    set_target_properties(${name} PROPERTIES
      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  endif()
  if(WIN32 AND BUILD_SHARED_LIBS)
    set_target_properties(${name} PROPERTIES PREFIX "")
  endif()
  if(BUILD_SHARED_LIBS AND UNIX AND NOT APPLE AND NOT KERAS_DC_SANITIZE
     AND NOT KERAS_DC_SANITIZE_THREADS AND NOT KERAS_DC_BUILD_FUZZERS)
    # The C++ runtime goes in, and none of its symbols out (templates of the
    # standard library stay visible without a version script): the library then
    # runs on systems older than the compiler, and beside any other C++ runtime.
    target_link_options(${name} PRIVATE
      -static-libstdc++ -static-libgcc
      "LINKER:--version-script=${PROJECT_SOURCE_DIR}/exports.map"
      LINKER:--no-undefined LINKER:--gc-sections)
    set_target_properties(${name} PROPERTIES
      LINK_DEPENDS "${PROJECT_SOURCE_DIR}/exports.map")
  endif()
endfunction()

include(GNUInstallDirs)
set(libraries)
if(NOT SKBUILD)
  keras_dc_add_library(keras_dc_codec keras_dc_codec_objects)
  list(APPEND libraries keras_dc_codec)
endif()
if(KERAS_DC_OPS)
  # Holds the codec as well: a program links one of the two.
  keras_dc_add_library(keras_dc keras_dc_codec_objects keras_dc_ops_objects)
  if(NOT BUILD_SHARED_LIBS)
    target_link_libraries(keras_dc INTERFACE ${CMAKE_DL_LIBS})
  endif()
  list(APPEND libraries keras_dc)
endif()

if(SKBUILD)
  install(TARGETS keras_dc
    LIBRARY DESTINATION keras_dc
    RUNTIME DESTINATION keras_dc)
  return()
endif()

include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/keras_dc")
install(TARGETS ${libraries} EXPORT keras_dc-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/keras_dc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT keras_dc-targets NAMESPACE keras_dc:: DESTINATION "${package_dir}")
configure_package_config_file(cmake/keras_dc-config.cmake.in keras_dc-config.cmake
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(keras_dc-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/keras_dc-config.cmake"
  "${PROJECT_BINARY_DIR}/keras_dc-config-version.cmake"
  DESTINATION "${package_dir}")

# For programs that are not built by CMake. Static libraries need the C++ runtime.
set(KERAS_DC_PC_LIBS "")
if(NOT BUILD_SHARED_LIBS)
  if(APPLE)
    set(KERAS_DC_PC_LIBS "-lc++")
  else()
    set(KERAS_DC_PC_LIBS "-lstdc++ -lm")
  endif()
  if(KERAS_DC_THREADS)
    string(APPEND KERAS_DC_PC_LIBS " -pthread")
  endif()
  if(CMAKE_DL_LIBS)
    string(APPEND KERAS_DC_PC_LIBS " -l${CMAKE_DL_LIBS}")
  endif()
endif()
foreach(name ${libraries})
  set(KERAS_DC_PC_NAME ${name})
  configure_file(cmake/keras_dc.pc.in ${name}.pc @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${name}.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()
