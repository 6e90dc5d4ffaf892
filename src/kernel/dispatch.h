// How a kernel file is compiled once per SIMD target (SSE4, AVX2, AVX-512; NEON on Arm) and chosen at run time. A kernel file
// x.cpp starts with exactly this, and has no include guard:
//     #undef HWY_TARGET_INCLUDE
//     #define HWY_TARGET_INCLUDE "kernel/x.cpp"
//     #include "kernel/dispatch.h"
// then its loops stand between MANYCORE_TARGET_BEGIN and MANYCORE_TARGET_END, and what is compiled once (tables of function
// pointers, entry points that call HWY_DYNAMIC_DISPATCH) inside #if HWY_ONCE. Plain loops are vectorised by the compiler for
// each target; Highway's vectors are there where a loop needs them. Results may not depend on the target.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS HWY_SSSE3  // NumPy itself needs SSE4.2, so nothing older is worth its compile time
#endif

#ifdef HWY_TARGET_INCLUDE
#include <hwy/foreach_target.h>
#endif
#include <hwy/highway.h>

#define MANYCORE_TARGET_BEGIN \
  HWY_BEFORE_NAMESPACE();     \
  namespace manycore::kernel::HWY_NAMESPACE {
#define MANYCORE_TARGET_END \
  }                         \
  HWY_AFTER_NAMESPACE();

#ifndef MANYCORE_KERNEL_DISPATCH_H_
#define MANYCORE_KERNEL_DISPATCH_H_

#include <string_view>
#include <vector>

#include "manycore/export.h"

namespace manycore::kernel {

// The level in force: "avx512", "avx2", "sse4", "neon" or "scalar".
MANYCORE_API const char* simd_level();
// The levels that this machine and this build have, best first; all give the same bits.
MANYCORE_API std::vector<const char*> simd_levels();
// Use nothing above `level` ("auto" means the best); false when this machine has no such level. Not while kernels run.
MANYCORE_API bool set_simd_level(std::string_view level);

}  // namespace manycore::kernel
#endif  // MANYCORE_KERNEL_DISPATCH_H_
