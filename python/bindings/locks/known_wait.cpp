#include "bindings/locks/known_wait.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>

#include "bindings/locks/deadlocks.h"
#include "bindings/tasks/reference.h"
#include "os/clock.h"

namespace manycore::python::locks {

thread_local constinit manycore::sync::Thread* here __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

constexpr int64_t kMillisecond = 1'000'000;
// Most waits are over by then.
constexpr int64_t kFirstLook = 50 * kMillisecond;
constexpr int64_t kBetweenSearches = 100 * kMillisecond;
// Where no wait has begun or ended since the last search.
constexpr int64_t kBetweenEqualSearches = 400 * kMillisecond;
constexpr int64_t kLongestNap = 1'000 * kMillisecond;

std::atomic<int> sleepers{0};
std::atomic<int64_t> next_search{0};
std::atomic<int64_t> last_search{0};
std::atomic<uint64_t> version_searched{0};

// Tells the record, when the thread ends, that it has.
struct Leaver {
  manycore::sync::Thread* thread = nullptr;
  ~Leaver() {
    if (thread != nullptr) thread->ended.store(true, std::memory_order_release);
  }
};

}  // namespace

manycore::sync::Thread* enter_here() {
  static thread_local Leaver leaver;
  here = manycore::sync::enter_thread(static_cast<uint64_t>(pthread_self()));
  leaver.thread = here;
  return here;
}

LookUp::LookUp(const KnownWait* wait) {
  if (wait != nullptr && is_watching()) next_ = os::now_nanoseconds() + kFirstLook;
}

LookUp::~LookUp() {
  if (counted_) sleepers.fetch_sub(1, std::memory_order_relaxed);
}

bool LookUp::is_my_turn() {
  const int64_t now = os::now_nanoseconds();
  if (next_ < 0 || now < next_) return false;
  const int others = counted_ ? sleepers.load(std::memory_order_relaxed) : sleepers.fetch_add(1, std::memory_order_relaxed) + 1;
  counted_ = true;
  // Many sleepers look up seldom, and together as often as a few.
  next_ = now + std::min<int64_t>(kBetweenSearches * std::max(1, others / 4), kLongestNap);
  int64_t due = next_search.load(std::memory_order_relaxed);
  if (now < due || !next_search.compare_exchange_strong(due, now + kBetweenSearches, std::memory_order_relaxed)) return false;
  const uint64_t version = manycore::sync::waits_version();
  if (version == version_searched.load(std::memory_order_relaxed) &&
      now < last_search.load(std::memory_order_relaxed) + kBetweenEqualSearches) {
    return false;
  }
  version_searched.store(version, std::memory_order_relaxed);
  last_search.store(now, std::memory_order_relaxed);
  return true;
}

void forget_sleepers() { sleepers.store(0, std::memory_order_relaxed); }

bool raise_verdict(KnownWait* wait) {
  if (wait == nullptr || wait->verdict == nullptr) return false;
  const tasks::Reference verdict(std::exchange(wait->verdict, nullptr));
  tasks::raise(verdict.get());
  return true;
}

}  // namespace manycore::python::locks
