#include "trace/counters.h"

#include <atomic>
#include <mutex>
#include <vector>

#include "base/hooks.h"
#include "base/lasting.h"
#include "os/clock.h"

namespace manycore::trace {
namespace {

// Written by one thread only, read by any: plain loads and stores, atomic so that a reader never sees a torn number.
struct ThreadTotals {
  std::atomic<int64_t> native_calls{0};
  std::atomic<int64_t> native_bytes{0};
  std::atomic<int64_t> fallback_calls{0};
  std::atomic<int64_t> fallback_bytes{0};
  std::atomic<int64_t> recorded{0};
  std::atomic<int64_t> groups{0};
  std::atomic<int64_t> grouped{0};
  std::atomic<int64_t> reused_plans{0};
  std::atomic<int64_t> materialised_bytes{0};
  std::atomic<int64_t> saved_bytes{0};
};

void add(std::atomic<int64_t>& counter, int64_t amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

struct Registry {
  std::mutex mutex;
  std::vector<ThreadTotals*> threads;
  Totals ended;    // of threads that are gone
  Totals removed;  // what reset_totals() subtracts
};

// Leaked: threads may end after static destruction.
Registry& registry() {
  static constinit base::Lasting<Registry> instance;
  return instance.get();
}

void add_to(Totals& sum, const ThreadTotals& part) {
  sum.native_calls += part.native_calls.load(std::memory_order_relaxed);
  sum.native_bytes += part.native_bytes.load(std::memory_order_relaxed);
  sum.fallback_calls += part.fallback_calls.load(std::memory_order_relaxed);
  sum.fallback_bytes += part.fallback_bytes.load(std::memory_order_relaxed);
  sum.recorded += part.recorded.load(std::memory_order_relaxed);
  sum.groups += part.groups.load(std::memory_order_relaxed);
  sum.grouped += part.grouped.load(std::memory_order_relaxed);
  sum.reused_plans += part.reused_plans.load(std::memory_order_relaxed);
  sum.materialised_bytes += part.materialised_bytes.load(std::memory_order_relaxed);
  sum.saved_bytes += part.saved_bytes.load(std::memory_order_relaxed);
}

struct Registration {
  ThreadTotals* totals;
  Registration();
  ~Registration();
};

// A plain pointer is the cheapest thread-local there is; the registration beside it is touched once per thread.
__attribute__((tls_model("initial-exec"))) thread_local ThreadTotals* current = nullptr;
// Calls made of others that this thread is inside of.
__attribute__((tls_model("initial-exec"))) thread_local int inside = 0;
// When the outermost NativeTime of this thread began, moved on by what is counted elsewhere; 0 outside of one.
__attribute__((tls_model("initial-exec"))) thread_local int64_t began = 0;
__attribute__((tls_model("initial-exec"))) thread_local int64_t elsewhere = 0;

// Where what a thread still does after its thread-local objects are gone is counted. Shared, so adds may be lost; never torn.
ThreadTotals& late_totals() {
  static constinit ThreadTotals late{};
  static constinit std::atomic<bool> known{false};
  if (!known.exchange(true)) {
    std::lock_guard lock(registry().mutex);
    registry().threads.push_back(&late);
  }
  return late;
}

Registration::Registration() : totals(new ThreadTotals()) {
  std::lock_guard lock(registry().mutex);
  registry().threads.push_back(totals);
}

Registration::~Registration() {
  current = &late_totals();  // takes the lock itself, the first time
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  add_to(all.ended, *totals);
  std::erase(all.threads, totals);
  delete totals;
}

ThreadTotals& register_thread() {
  thread_local Registration registration;
  current = registration.totals;
  return *current;  // NOLINT(clang-analyzer-cplusplus.NewDelete): the registration lives until the thread ends
}

ThreadTotals& mine() { return current ? *current : register_thread(); }

Totals sum_locked(Registry& all) {
  Totals sum = all.ended;
  for (const ThreadTotals* part : all.threads) add_to(sum, *part);
  return sum;
}

}  // namespace

void count_native(int64_t bytes) {
  if (inside > 0) return;
  ThreadTotals& totals = mine();
  add(totals.native_calls, 1);
  add(totals.native_bytes, bytes);
  if (auto* const counted = base::hooks().counted_native; counted != nullptr) counted(bytes);
}

NativeTime::NativeTime() : outermost_(began == 0 && base::hooks().timed_native != nullptr) {
  if (outermost_) began = os::now_nanoseconds();
}

NativeTime::~NativeTime() {
  if (!outermost_) return;
  const int64_t lasted = os::now_nanoseconds() - began;
  began = 0;
  if (auto* const timed = base::hooks().timed_native; timed != nullptr) timed(lasted);
}

void count_elsewhere(int64_t nanoseconds) {
  elsewhere += nanoseconds;
  if (began != 0) began += nanoseconds;
}

int64_t counted_elsewhere() { return elsewhere; }

NativeCall::NativeCall() { ++inside; }

NativeCall::~NativeCall() {
  --inside;
  if (bytes_ >= 0) count_native(bytes_);
}

void count_fallback(int64_t bytes) {
  ThreadTotals& totals = mine();
  add(totals.fallback_calls, 1);
  add(totals.fallback_bytes, bytes);
}

void count_recorded() { add(mine().recorded, 1); }

void count_reused_plan() { add(mine().reused_plans, 1); }

void count_group(int64_t instructions, int64_t materialised_bytes, int64_t saved_bytes) {
  ThreadTotals& totals = mine();
  add(totals.groups, 1);
  add(totals.grouped, instructions);
  add(totals.materialised_bytes, materialised_bytes);
  add(totals.saved_bytes, saved_bytes);
}

Totals totals() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  Totals sum = sum_locked(all);
  sum.native_calls -= all.removed.native_calls;
  sum.native_bytes -= all.removed.native_bytes;
  sum.fallback_calls -= all.removed.fallback_calls;
  sum.fallback_bytes -= all.removed.fallback_bytes;
  sum.recorded -= all.removed.recorded;
  sum.groups -= all.removed.groups;
  sum.grouped -= all.removed.grouped;
  sum.reused_plans -= all.removed.reused_plans;
  sum.materialised_bytes -= all.removed.materialised_bytes;
  sum.saved_bytes -= all.removed.saved_bytes;
  return sum;
}

void reset_totals() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  all.removed = sum_locked(all);
}

}  // namespace manycore::trace
