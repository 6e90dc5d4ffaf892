#include "os/topology.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <memory>

#include "os/cgroup.h"

namespace manycore::os {
namespace {

int affinity_cores(int machine_cores) {
  // A set larger than cpu_set_t's 1024 cores makes the call fail; grow until it fits.
  for (int capacity = 1024; capacity <= 1 << 18; capacity *= 2) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    size_t bytes = CPU_ALLOC_SIZE(capacity);
    CPU_ZERO_S(bytes, set);
    int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return machine_cores;
}

int64_t cache_bytes(int level) {
  int64_t result = 0;
  for (int i = 0; i < 8; ++i) {
    std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i);
    std::string size = first_line(folder + "/size");
    if (size.empty()) break;
    if (std::atoi(first_line(folder + "/level").c_str()) != level || first_line(folder + "/type") == "Instruction") continue;
    int64_t unit = size.back() == 'K' ? 1024 : size.back() == 'M' ? 1 << 20 : 1;
    result = std::atoll(size.c_str()) * unit;
  }
  if (result > 0) return result;
  int names[] = {0, _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
  return std::max<int64_t>(0, sysconf(names[level]));
}

SimdLevel simd_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return SimdLevel::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return SimdLevel::kAvx2;
  if (__builtin_cpu_supports("sse4.2")) return SimdLevel::kSse4;
  return SimdLevel::kBaseline;
#elif defined(__aarch64__)
  return SimdLevel::kNeon;
#else
  return SimdLevel::kBaseline;
#endif
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

Topology ask_machine() {
  Topology result;
  result.machine_cores = std::max(1, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  result.cores = affinity_cores(result.machine_cores);
  result.quota = cgroup_limits().cpu_cores;
  if (result.quota > 0) result.cores = std::clamp(static_cast<int>(std::ceil(result.quota)), 1, result.cores);
  result.l1_bytes = cache_bytes(1);
  result.l2_bytes = cache_bytes(2);
  result.l3_bytes = cache_bytes(3);
  result.simd = simd_level();
  result.model = cpu_model();
  return result;
}

}  // namespace

const Topology& topology() {
  // Not a guarded static: a child of fork would wait for ever where another thread was just asking.
  static std::atomic<const Topology*> known{nullptr};
  const Topology* found = known.load(std::memory_order_acquire);
  if (found != nullptr) return *found;
  auto asked = std::make_unique<const Topology>(ask_machine());
  return known.compare_exchange_strong(found, asked.get(), std::memory_order_acq_rel) ? *asked.release() : *found;
}

const char* name_of(SimdLevel level) {
  switch (level) {
    case SimdLevel::kBaseline:
      return "baseline";
    case SimdLevel::kSse4:
      return "sse4";
    case SimdLevel::kAvx2:
      return "avx2";
    case SimdLevel::kAvx512:
      return "avx512";
    case SimdLevel::kNeon:
      return "neon";
  }
  return "unknown";
}

}  // namespace manycore::os
