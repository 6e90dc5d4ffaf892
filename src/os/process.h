// Other processes: a descriptor that stays that process's whatever happens to its number (pidfd), how it ended, and who descends
// from it. All functions are safe from any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "manycore/export.h"

namespace manycore::os {

// A descriptor (close-on-exec) that becomes readable when the process ends; -1 where there is none such. The caller closes it.
MANYCORE_API int open_process(pid_t process);
// Has it ended? Asks without waiting.
MANYCORE_API bool has_ended(int process_descriptor);
// The same of a number; one that nobody has collected has ended too. False where another process has that number by now.
MANYCORE_API bool is_gone(pid_t process);

struct Ending {
  bool known = false;      // false where the process is no child of this one, or somebody has collected it
  int exit_code = 0;       // as Python writes it: -9 is SIGKILL
  int64_t peak_bytes = 0;  // of resident memory; what it was before an exec counts (peak_before_exec)
};
// How a child ended. It stays to be collected by whoever waits for it.
MANYCORE_API Ending ending_of(int process_descriptor);

// The system keeps a process's peak of resident memory over exec, so one that was spawned begins with the peak of the program that
// spawned it. That, asked for in the new program; 0 where it is no more than the new program's own. Reads /proc/self/status.
MANYCORE_API int64_t peak_before_exec();

// Children, their children and so on, as /proc shows them now.
MANYCORE_API std::vector<pid_t> descendants_of(pid_t process);
// Stops them all first, so that none makes another meanwhile, then kills them.
MANYCORE_API void kill_descendants_of(pid_t process);

// While on, children of this process's children that have lost their parent become this process's. What it was before.
MANYCORE_API bool adopt_orphans(bool on);

}  // namespace manycore::os
