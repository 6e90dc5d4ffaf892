#include "sched/spin.h"

#include <algorithm>
#include <atomic>

#include "os/clock.h"
#include "os/topology.h"

namespace manycore::sched {
namespace {

std::atomic<int> spinning{0};

}  // namespace

// Who passes work to a spinning thread starts to spin before that one has stopped, so one spinner a core, not one less.
int most_spinning_threads() {
  const int cores = os::topology().cores;
  return cores > 1 ? cores : 0;
}

Spin::Spin(SpinHistory& history, int64_t nanoseconds) : history_(history), nanoseconds_(nanoseconds) {
  if (nanoseconds <= 0) return;
  const uint32_t left_out = history.left_out.load(std::memory_order_relaxed);
  if (left_out > 0) {
    history.left_out.store(left_out - 1, std::memory_order_relaxed);
    return;
  }
  allowed_ = spinning.fetch_add(1, std::memory_order_relaxed) < most_spinning_threads();
  if (!allowed_) spinning.fetch_sub(1, std::memory_order_relaxed);
}

Spin::~Spin() {
  if (!allowed_) return;
  spinning.fetch_sub(1, std::memory_order_relaxed);
  uint32_t failures = 0;
  if (!found_) failures = std::min(history_.failures.load(std::memory_order_relaxed) + 1, SpinHistory::kMostFailures);
  history_.failures.store(failures, std::memory_order_relaxed);
  history_.left_out.store((1u << failures) - 1, std::memory_order_relaxed);
}

bool Spin::before_end() {
  const int64_t now = os::now_nanoseconds();
  if (end_ == 0) end_ = now + nanoseconds_;
  return now < end_;
}

int spinning_threads() { return spinning.load(std::memory_order_relaxed); }

void forget_spinning_threads() { spinning.store(0, std::memory_order_relaxed); }

}  // namespace manycore::sched
