// What the machine offers to this process: cores (affinity and cgroup quota), cache sizes, SIMD level. Asked once, on first
// use, and constant afterwards. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "manycore/export.h"

namespace manycore::os {

enum class SimdLevel : uint8_t { kBaseline, kSse4, kAvx2, kAvx512, kNeon };

struct Topology {
  int cores = 1;          // that this process may use at once: affinity, cut by the cgroup's quota (rounded up)
  int machine_cores = 1;  // online in the machine
  double quota = 0;       // cores that the cgroup grants; 0 means no limit
  int64_t l1_bytes = 0;   // data cache of one core; 0 where the machine does not say
  int64_t l2_bytes = 0;
  int64_t l3_bytes = 0;  // the last level that core 0 sees
  SimdLevel simd = SimdLevel::kBaseline;
  std::string model;  // "Intel(R) Xeon(R) ...", empty where unknown
};

MANYCORE_API const Topology& topology();
MANYCORE_API const char* name_of(SimdLevel level);

}  // namespace manycore::os
