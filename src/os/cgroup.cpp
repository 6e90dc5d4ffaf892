#include "os/cgroup.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace manycore::os {
namespace {

// A limit file holds a number or "max"; version 1 writes a number near 2^63 for none.
int64_t read_limit(const std::string& path) {
  std::string text = first_line(path);
  if (text.empty() || text == "max") return 0;
  int64_t value = std::strtoll(text.c_str(), nullptr, 10);
  return value > (int64_t{1} << 60) || value < 0 ? 0 : value;
}

int64_t read_statistic(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string key;
  int64_t value = 0;
  while (file >> key >> value)
    if (key == name) return value;
  return 0;
}

void keep_tighter(double& limit, double candidate) {
  if (candidate > 0 && (limit == 0 || candidate < limit)) limit = candidate;
}

void read_memory(CgroupLimits& limits, const std::string& folder, const char* limit_file, const char* used_file,
                 const char* inactive) {
  int64_t limit = read_limit(folder + limit_file);
  if (limit <= 0 || (limits.memory_bytes != 0 && limit >= limits.memory_bytes)) return;
  limits.memory_bytes = limit;
  limits.memory_used = std::max<int64_t>(0, read_limit(folder + used_file) - read_statistic(folder + "/memory.stat", inactive));
}

void read_cpu_v2(CgroupLimits& limits, const std::string& folder) {
  std::istringstream text(first_line(folder + "/cpu.max"));
  std::string quota;
  double period = 0;
  if (text >> quota >> period && quota != "max" && period > 0) keep_tighter(limits.cpu_cores, std::atof(quota.c_str()) / period);
}

void read_cpu_v1(CgroupLimits& limits, const std::string& folder) {
  double quota = std::atof(first_line(folder + "/cpu.cfs_quota_us").c_str());
  double period = std::atof(first_line(folder + "/cpu.cfs_period_us").c_str());
  if (quota > 0 && period > 0) keep_tighter(limits.cpu_cores, quota / period);
}

// "/a/b" -> "/a/b", "/a", "": a limit of an ancestor binds too. In a container the path may not exist under the mount;
// the mount's root, the last entry, then is the group itself.
std::vector<std::string> with_ancestors(std::string path) {
  std::vector<std::string> result;
  while (path.size() > 1) {
    result.push_back(path);
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
  result.push_back("");
  return result;
}

}  // namespace

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

CgroupLimits cgroup_limits() {
  CgroupLimits limits;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = ",";
    controllers.append(line, first + 1, second - first - 1).append(",");
    for (const std::string& path : with_ancestors(line.substr(second + 1))) {
      if (controllers == ",,") {
        read_memory(limits, "/sys/fs/cgroup" + path, "/memory.max", "/memory.current", "inactive_file");
        read_cpu_v2(limits, "/sys/fs/cgroup" + path);
      } else if (controllers.find(",memory,") != std::string::npos) {
        read_memory(limits, "/sys/fs/cgroup/memory" + path, "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                    "total_inactive_file");
      } else if (controllers.find(",cpu,") != std::string::npos) {
        read_cpu_v1(limits, "/sys/fs/cgroup/cpu" + path);
      }
    }
  }
  return limits;
}

}  // namespace manycore::os
