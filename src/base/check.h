// MANYCORE_CHECK(condition): an invariant of the engine; throws Bug with the place when it does not hold.
// MANYCORE_DCHECK is the same in debug and sanitizer builds and nothing in release builds (hot paths).
#pragma once

#include "manycore/errors.h"

namespace manycore::base {

[[noreturn]] MANYCORE_API void fail_check(const char* condition, const char* file, int line);

}  // namespace manycore::base

#define MANYCORE_CHECK(condition) \
  (__builtin_expect(!!(condition), 1) ? (void)0 : ::manycore::base::fail_check(#condition, __FILE__, __LINE__))
#ifdef NDEBUG
#define MANYCORE_DCHECK(condition) ((void)0)
#else
#define MANYCORE_DCHECK(condition) MANYCORE_CHECK(condition)
#endif
