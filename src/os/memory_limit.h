// How much memory this process may use, and how much of it is free now. Each call reads /proc and /sys again
// (some tens of microseconds). Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "manycore/export.h"

namespace manycore::os {

struct MemoryLimit {
  int64_t bytes;       // the cgroup's limit, RLIMIT_AS or the machine's memory, whichever is smallest
  const char* source;  // "cgroup", "address space limit", "machine"
};

MANYCORE_API MemoryLimit memory_limit();
MANYCORE_API int64_t available_memory();  // bytes that can be taken now without swapping or being killed

// "80.0 GB": three significant digits, powers of 1000.
MANYCORE_API std::string bytes_text(int64_t bytes);

}  // namespace manycore::os
