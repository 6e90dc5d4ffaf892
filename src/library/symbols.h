// The shared library with BLAS and LAPACK, found once per process: the one that is already loaded (from Python: NumPy's OpenBLAS),
// else an installed OpenBLAS, else none. The option `blas` names another file, or "none". Thread-safe; never unloaded.
#pragma once

#include <string>

#include "manycore/export.h"

namespace manycore::library {

struct LinearAlgebraLibrary {
  void* handle = nullptr;  // null: there is none, callers use their own loops
  std::string path;
  std::string cblas_prefix;   // "scipy_" in scipy_cblas_dgemm64_
  std::string cblas_suffix;   // "64_"
  std::string lapack_suffix;  // "_64_" in scipy_dgesdd_64_
  bool wide = false;          // its integers have 64 bits

  void* cblas(const std::string& name) const;   // "dgemm"; null where the library lacks it
  void* lapack(const std::string& name) const;  // "dgesdd"
};

MANYCORE_API const LinearAlgebraLibrary& linear_algebra_library();

// The library's threads follow the option `threads` when that is set; else the library keeps what it started with, which is what
// plain NumPy runs with (the number decides the bits of long dot products).
void follow_thread_option();

}  // namespace manycore::library
