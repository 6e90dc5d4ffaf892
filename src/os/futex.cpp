#include "os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"

namespace manycore::os {
namespace {

long futex(const std::atomic<uint32_t>& word, int operation, uint32_t value, const timespec* until, uint32_t bits) {
  return syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&word), operation, value, until, nullptr, bits);
}

int flag_of(FutexScope scope) { return scope == FutexScope::process ? FUTEX_PRIVATE_FLAG : 0; }

}  // namespace

FutexWait futex_wait(const std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_nanoseconds, FutexScope scope,
                     uint32_t bits) {
  static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));
  timespec until;
  const timespec* limit = nullptr;
  if (timeout_nanoseconds >= 0) {
    // FUTEX_WAIT_BITSET takes a point of the monotonic clock, not a duration.
    const int64_t end = now_nanoseconds() + timeout_nanoseconds;
    until = {static_cast<time_t>(end / 1'000'000'000), static_cast<long>(end % 1'000'000'000)};
    limit = &until;
  }
  if (futex(word, FUTEX_WAIT_BITSET | flag_of(scope), expected, limit, bits) == 0) return FutexWait::woken;
  switch (errno) {
    case EAGAIN:
      return FutexWait::changed;
    case ETIMEDOUT:
      return FutexWait::timed_out;
    case EINTR:
      return FutexWait::interrupted;
    default:
      return FutexWait::woken;
  }
}

int futex_wake(const std::atomic<uint32_t>& word, int count, FutexScope scope, uint32_t bits) {
  const long woken = futex(word, FUTEX_WAKE_BITSET | flag_of(scope), static_cast<uint32_t>(count), nullptr, bits);
  return woken < 0 ? 0 : static_cast<int>(woken);
}

}  // namespace manycore::os
