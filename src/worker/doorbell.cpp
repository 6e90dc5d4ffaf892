#include "worker/doorbell.h"

#include "os/topology.h"

namespace manycore::worker {

bool ring(Bell& bell, uint32_t bits) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const uint32_t asleep = bell.load(std::memory_order_relaxed) & bits;
  // Of several that ring at once, the one that clears the bit makes the call.
  if (asleep == 0 || (bell.fetch_and(~asleep, std::memory_order_seq_cst) & asleep) == 0) return false;
  os::futex_wake(bell, os::kFutexEveryone, os::FutexScope::shared, asleep);
  return true;
}

bool Spinner::cores_suffice() { return os::topology().cores > 1; }

}  // namespace manycore::worker
