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

struct Ending {
  bool known = false;      // false where the process is no child of this one, or somebody has collected it
  int exit_code = 0;       // as Python writes it: -9 is SIGKILL
  int64_t peak_bytes = 0;  // of resident memory
};
// How a child ended. It stays to be collected by whoever waits for it.
MANYCORE_API Ending ending_of(int process_descriptor);

// Children, their children and so on, as /proc shows them now.
MANYCORE_API std::vector<pid_t> descendants_of(pid_t process);
// Stops them all first, so that none makes another meanwhile, then kills them.
MANYCORE_API void kill_descendants_of(pid_t process);

}  // namespace manycore::os
