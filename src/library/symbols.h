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

// One call into the library. Its threads follow the option `threads` when that is set; else the library keeps what it started
// with, which is what plain NumPy runs with (the number decides the bits of long dot products).
// A fork waits until no call is `guarded`, and calls wait until a fork is over: OpenBLAS ends its threads before a fork, and
// where another thread is handing them work just then, neither ever returns. Calls too short for its threads need no guard.
class LibraryCall {
 public:
  explicit LibraryCall(bool guarded);
  LibraryCall(const LibraryCall&) = delete;
  LibraryCall& operator=(const LibraryCall&) = delete;
  ~LibraryCall();

 private:
  bool guarded_;
};

}  // namespace manycore::library
