#include "sched/spin.h"

#include <atomic>

#include "os/clock.h"
#include "os/topology.h"

namespace manycore::sched {
namespace {

std::atomic<int> spinning{0};

// Who passes work to a spinning thread starts to spin before that one has stopped, so one spinner a core, not one less.
int most_spinning() {
  static const int most = os::topology().cores > 1 ? os::topology().cores : 0;
  return most;
}

}  // namespace

Spin::Spin(int64_t nanoseconds) : nanoseconds_(nanoseconds) {
  allowed_ = false;
  if (nanoseconds <= 0) return;
  allowed_ = spinning.fetch_add(1, std::memory_order_relaxed) < most_spinning();
  if (!allowed_) spinning.fetch_sub(1, std::memory_order_relaxed);
}

Spin::~Spin() {
  if (allowed_) spinning.fetch_sub(1, std::memory_order_relaxed);
}

bool Spin::before_end() {
  const int64_t now = os::now_nanoseconds();
  if (end_ == 0) end_ = now + nanoseconds_;
  return now < end_;
}

int spinning_threads() { return spinning.load(std::memory_order_relaxed); }

void forget_spinning_threads() { spinning.store(0, std::memory_order_relaxed); }

}  // namespace manycore::sched
