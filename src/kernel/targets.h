// Which SIMD levels kernels are compiled for. Include first in every file that uses Highway's foreach_target.
// x86-64-v2 (SSE4.2) is the floor, as for NumPy's own wheels; AVX-512's newer subsets bring nothing to these loops.
#pragma once

#if defined(__x86_64__)
#define HWY_BASELINE_TARGETS HWY_SSE4
#if defined(__SANITIZE_THREAD__)
// Who reads and writes what does not depend on the level, and one is a quarter of the time to compile.
#define HWY_DISABLED_TARGETS (HWY_AVX3_DL | HWY_AVX3 | HWY_AVX2 | HWY_SSSE3)
#else
#define HWY_DISABLED_TARGETS (HWY_AVX3_DL | HWY_SSSE3)
#endif
#endif
