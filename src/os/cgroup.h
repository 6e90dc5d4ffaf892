// The control group of this process: its limits, versions 1 and 2, the tightest of the group and its ancestors.
// Reads files; costs some tens of microseconds. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace manycore::os {

struct CgroupLimits {
  int64_t memory_bytes = 0;  // 0: no limit
  int64_t memory_used = 0;   // of the group that sets the limit, page cache that can be dropped not counted; 0: unknown
  double cpu_cores = 0;      // 0: no limit
};

CgroupLimits cgroup_limits();

// The first line of a file without the newline; empty when it cannot be read.
std::string first_line(const std::string& path);

}  // namespace manycore::os
