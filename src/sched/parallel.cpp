#include "sched/parallel.h"

#include <pthread.h>
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "base/hooks.h"
#include "base/options.h"
#include "manycore/errors.h"
#include "os/topology.h"

namespace manycore::sched {
namespace {

// The arena of the loops. Replaced, never destroyed, when the option threads changes: another thread may be inside it.
struct Crew {
  Crew(int count, Crew* before) : threads(count), arena(count), previous(before) {}
  int threads;
  tbb::task_arena arena;
  Crew* previous;
};

// oneTBB's library is not instrumented, so ThreadSanitizer cannot see that a loop's chunks begin after the call and end before
// it returns; these say so. This file is not instrumented either (src/CMakeLists.txt), since oneTBB's headers are part of it.
#if defined(MANYCORE_SANITIZE_THREAD)
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
void follows(void* loop) { __tsan_acquire(loop); }
void precedes(void* loop) { __tsan_release(loop); }
#else
void follows(void*) {}
void precedes(void*) {}
#endif

std::atomic<Crew*> current_crew{nullptr};
std::mutex crew_mutex;
tbb::global_control* control = nullptr;  // oneTBB's own limit counts cores, not what the user asked for

// oneTBB's workers do not survive fork. Children run their loops on the calling thread.
std::atomic<bool> in_fork_child{false};

Crew& crew(int threads) {
  Crew* found = current_crew.load(std::memory_order_acquire);
  if (found && found->threads == threads) return *found;
  std::lock_guard lock(crew_mutex);
  found = current_crew.load(std::memory_order_relaxed);
  if (found && found->threads == threads) return *found;
  static const int registered = pthread_atfork([] { crew_mutex.lock(); }, [] { crew_mutex.unlock(); },
                                               [] {
                                                 crew_mutex.unlock();
                                                 in_fork_child.store(true, std::memory_order_relaxed);
                                               });
  (void)registered;
  delete control;
  control = new tbb::global_control(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(threads));
  auto* fresh = new Crew(threads, found);
  current_crew.store(fresh, std::memory_order_release);
  return *fresh;
}

void check_interrupt(std::thread::id caller) {
  bool (*interrupted)() = base::hooks().interrupted;
  if (interrupted && std::this_thread::get_id() == caller && interrupted()) throw Interrupted("interrupted by the user");
}

void run_inline(int64_t count, int64_t grain, RangeBody body, Interrupts interrupts) {
  if (interrupts == Interrupts::kFinish || count <= grain * kChunksBetweenPolls) return body(0, count);
  for (int64_t begin = 0; begin < count; begin += grain * kChunksBetweenPolls) {
    check_interrupt(std::this_thread::get_id());
    body(begin, std::min(count, begin + grain * kChunksBetweenPolls));
  }
}

}  // namespace

int thread_count() {
  if (in_fork_child.load(std::memory_order_relaxed)) return 1;
  int64_t asked = base::integer_option(base::Option::threads);
  return asked > 0 ? static_cast<int>(std::min<int64_t>(asked, kMaxThreads)) : os::topology().cores;
}

void parallel_for(int64_t count, int64_t grain, RangeBody body, Interrupts interrupts) {
  if (count <= 0) return;
  if (count <= grain) return body(0, count);
  int threads = thread_count();
  if (threads <= 1) return run_inline(count, grain, body, interrupts);
  int64_t chunks = (count - 1) / grain + 1;
  std::thread::id caller = std::this_thread::get_id();
  char loop = 0;
  precedes(&loop);
  crew(threads).arena.execute([&] {
    tbb::parallel_for(tbb::blocked_range<int64_t>(0, chunks), [&](const tbb::blocked_range<int64_t>& range) {
      follows(&loop);
      if (interrupts == Interrupts::kStop) check_interrupt(caller);
      body(range.begin() * grain, std::min(count, range.end() * grain));
      precedes(&loop);
    });
  });
  follows(&loop);
}

}  // namespace manycore::sched
