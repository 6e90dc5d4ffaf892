// Tally: bytes in allocations too small to be charged one by one. It charges the account in steps, so that adding one costs a
// few instructions; the account is a few steps away from what is there at most. Its callers exclude each other (NumPy
// allocates with the GIL held); a thread that reads at the same time sees some whole number.
#pragma once

#include <atomic>
#include <cstdint>

#include "manycore/export.h"

namespace manycore::memory {

class MANYCORE_API Tally {
 public:
  static constexpr int64_t kStep = 128 << 10;

  // Throws ResourceError, with nothing added, when the account refuses another step.
  void add(int64_t bytes) {
    const int64_t now = bytes_.load(std::memory_order_relaxed) + bytes;
    if (__builtin_expect(now > charged_, 0)) charge(now, bytes);
    bytes_.store(now, std::memory_order_relaxed);
  }
  // More than was ever added counts as nothing left: blocks from before the first add may come here too.
  void subtract(int64_t bytes) {
    const int64_t now = bytes_.load(std::memory_order_relaxed) - bytes;
    bytes_.store(now < 0 ? 0 : now, std::memory_order_relaxed);
    if (__builtin_expect(now < charged_ - 2 * kStep, 0)) uncharge();
  }
  // For a sum that has turned out otherwise by a little; the next add sees to the account.
  void correct(int64_t bytes) { bytes_.store(bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed); }
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void charge(int64_t now, int64_t asked);
  void uncharge();

  std::atomic<int64_t> bytes_{0};
  int64_t charged_ = 0;  // whole steps
};

}  // namespace manycore::memory
