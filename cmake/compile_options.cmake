# One place for what every target is compiled with, shared by the main build and by extensions built on their own.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

# A compiler cache makes a fresh clone cheap to build again; nothing depends on it.
find_program(MANYCORE_CCACHE ccache)
if(MANYCORE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MANYCORE_CCACHE})
endif()

# Results must equal NumPy's bit for bit, so products are never contracted into FMA and no fast-math flag is ever used.
add_library(manycore_options INTERFACE)
# GCC 12's -Wrestrict reports every "text" + std::string (its bug 105651).
target_compile_options(manycore_options INTERFACE
  -Wall -Wextra -Wno-unused-parameter -Wno-restrict -ffp-contract=off -fno-math-errno)
if(MANYCORE_SANITIZE)
  # -O1 and line tables: half the time to compile, and every finding still has its line.
  target_compile_options(manycore_options INTERFACE
    -fsanitize=${MANYCORE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1)
  target_link_options(manycore_options INTERFACE -fsanitize=${MANYCORE_SANITIZE})
endif()
