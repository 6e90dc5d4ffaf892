#include "os/memory_limit.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>

#include "os/cgroup.h"

namespace manycore::os {
namespace {

int64_t meminfo(const std::string& name) {
  std::ifstream file("/proc/meminfo");
  std::string key;
  int64_t kilobytes = 0;
  std::string unit;
  while (file >> key >> kilobytes && std::getline(file, unit))
    if (key == name + ":") return kilobytes * 1024;
  return 0;
}

}  // namespace

MemoryLimit memory_limit() {
  MemoryLimit limit{meminfo("MemTotal"), "machine"};
  if (limit.bytes <= 0) limit.bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  int64_t cgroup = cgroup_limits().memory_bytes;
  if (cgroup > 0 && cgroup < limit.bytes) limit = {cgroup, "cgroup"};
  rlimit address_space{};
  if (getrlimit(RLIMIT_AS, &address_space) == 0 && address_space.rlim_cur != RLIM_INFINITY &&
      static_cast<int64_t>(address_space.rlim_cur) < limit.bytes)
    limit = {static_cast<int64_t>(address_space.rlim_cur), "address space limit"};
  return limit;
}

int64_t available_memory() {
  int64_t available = meminfo("MemAvailable");
  if (available <= 0) available = std::numeric_limits<int64_t>::max();
  CgroupLimits group = cgroup_limits();
  if (group.memory_bytes > 0) available = std::min(available, std::max<int64_t>(0, group.memory_bytes - group.memory_used));
  return available;
}

std::string bytes_text(int64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 999.5 && unit < 6; ++unit) value /= 1000;
  char text[32];
  if (unit == 0)
    std::snprintf(text, sizeof text, "%lld bytes", static_cast<long long>(bytes));
  else
    std::snprintf(text, sizeof text, value < 99.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
  return text;
}

}  // namespace manycore::os
