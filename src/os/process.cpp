#include "os/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>

namespace manycore::os {
namespace {

struct CloseFile {
  void operator()(FILE* file) const { fclose(file); }
};

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

// The fourth field of /proc/PID/stat; the second, the name, may hold anything, so the last parenthesis is what counts.
pid_t parent_of(const char* process) {
  const std::string path = std::string("/proc/") + process + "/stat";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  char text[512];
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return -1;
  text[length] = 0;
  const char* after_name = strrchr(text, ')');
  if (after_name == nullptr || strlen(after_name) < 5) return -1;
  return static_cast<pid_t>(strtol(after_name + 4, nullptr, 10));
}

}  // namespace

int open_process(pid_t process) { return static_cast<int>(syscall(SYS_pidfd_open, process, 0)); }

bool has_ended(int process_descriptor) {
  pollfd entry{process_descriptor, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

bool is_gone(pid_t process) {
  const int descriptor = open_process(process);
  if (descriptor < 0) return errno == ESRCH;
  const bool gone = has_ended(descriptor);
  close(descriptor);
  return gone;
}

Ending ending_of(int process_descriptor) {
  Ending ending;
  siginfo_t facts{};
  rusage usage{};
  constexpr int kByDescriptor = 3;  // P_PIDFD, which older headers lack
  // The system call, unlike the function, tells what the child used. WNOWAIT: multiprocessing collects it.
  const long result = syscall(SYS_waitid, kByDescriptor, process_descriptor, &facts, WEXITED | WNOHANG | WNOWAIT, &usage);
  if (result != 0 || facts.si_pid == 0) return ending;
  ending.known = true;
  ending.exit_code = facts.si_code == CLD_EXITED ? facts.si_status : -facts.si_status;
  ending.peak_bytes = static_cast<int64_t>(usage.ru_maxrss) << 10;
  return ending;
}

int64_t peak_before_exec() {
  const std::unique_ptr<FILE, CloseFile> status(fopen("/proc/self/status", "re"));
  if (status == nullptr) return 0;
  int64_t own = 0;  // KiB
  char line[256];
  while (own == 0 && fgets(line, sizeof line, status.get()) != nullptr) {
    if (strncmp(line, "VmHWM:", 6) == 0) own = strtoll(line + 6, nullptr, 10);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  // The program grows between the two, and the kernel counts pages in lots per thread.
  constexpr int64_t kSlack = 1024;
  return usage.ru_maxrss > own + kSlack ? static_cast<int64_t>(usage.ru_maxrss) << 10 : 0;
}

std::vector<pid_t> descendants_of(pid_t process) {
  std::unordered_multimap<pid_t, pid_t> children;
  const std::unique_ptr<DIR, CloseFolder> folder(opendir("/proc"));
  if (folder == nullptr) return {};
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    const pid_t parent = parent_of(entry->d_name);
    if (parent > 0) children.emplace(parent, static_cast<pid_t>(atoi(entry->d_name)));
  }
  std::vector<pid_t> found{process};
  for (size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = children.equal_range(found[i]);
    for (auto child = begin; child != end; ++child) found.push_back(child->second);
  }
  found.erase(found.begin());
  return found;
}

void kill_descendants_of(pid_t process) {
  std::vector<pid_t> stopped;
  // Each round stops what the one before could not see yet; what is stopped makes no more. The bound is against a system that
  // does not let us stop something (a program of another user).
  for (int round = 0; round < 16; ++round) {
    bool any = false;
    for (pid_t descendant : descendants_of(process)) {
      if (std::find(stopped.begin(), stopped.end(), descendant) != stopped.end()) continue;
      if (kill(descendant, SIGSTOP) != 0) continue;
      stopped.push_back(descendant);
      any = true;
    }
    if (!any) break;
  }
  for (pid_t descendant : stopped) kill(descendant, SIGKILL);
}

bool adopt_orphans(bool on) {
  int before = 0;
  prctl(PR_GET_CHILD_SUBREAPER, &before, 0, 0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, on ? 1 : 0, 0, 0, 0);
  return before != 0;
}

}  // namespace manycore::os
