#include "base/at_fork.h"

#include <pthread.h>

#include <array>
#include <atomic>

namespace manycore::base {
namespace {

constexpr int kSteps = static_cast<int>(ForkStep::kCount);

std::array<std::atomic<const ForkActions*>, kSteps> steps{};
// Those that this thread's fork went through: a step that appears meanwhile must not be undone.
thread_local std::array<const ForkActions*, kSteps> taken{};

void before() {
  for (int step = 0; step < kSteps; ++step) {
    taken[step] = steps[step].load(std::memory_order_acquire);
    if (taken[step] != nullptr) taken[step]->before();
  }
}

template <auto Action>
void after() {
  for (int step = kSteps; step-- > 0;) {
    if (taken[step] != nullptr) (taken[step]->*Action)();
  }
}

// When the library is loaded, which no fork interrupts.
const int registered = pthread_atfork(before, after<&ForkActions::after_in_parent>, after<&ForkActions::after_in_child>);

}  // namespace

void at_fork(ForkStep step, ForkActions actions) {
  const ForkActions* none = nullptr;
  const auto* lasting = new ForkActions(actions);
  if (!steps[static_cast<int>(step)].compare_exchange_strong(none, lasting)) delete lasting;
}

}  // namespace manycore::base
