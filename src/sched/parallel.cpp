#include "sched/parallel.h"

#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "base/at_fork.h"
#include "base/hooks.h"
#include "base/options.h"
#include "manycore/errors.h"
#include "os/clock.h"
#include "os/topology.h"
#include "sched/budget.h"
#include "sched/stop.h"

namespace manycore::sched {
namespace {

// An arena of loops. Never destroyed: another thread may be inside it. Those with the whole budget share one; a loop that has less,
// since tasks run beside it, has one for itself meanwhile, so that it neither waits for another's threads nor gets more than its own.
struct Crew {
  Crew(int count, Crew* before) : threads(count), arena(count), previous(before) {}
  int threads;
  bool taken = false;  // by one loop; with the mutex
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

// Says so on the way out, also of a loop that is told to stop: that leaves by an exception, which travels through oneTBB too.
class WhenLeft {
 public:
  WhenLeft(void (*say)(void*), void* loop) : say_(say), loop_(loop) {}
  ~WhenLeft() { say_(loop_); }
  WhenLeft(const WhenLeft&) = delete;
  WhenLeft& operator=(const WhenLeft&) = delete;

 private:
  void (*say_)(void*);
  void* loop_;
};

std::atomic<Crew*> current_crew{nullptr};
Crew* small_crews = nullptr;  // of loops beside tasks; with the mutex
std::mutex crew_mutex;
tbb::global_control* control = nullptr;  // oneTBB's own limit counts cores, not what the user asked for

// oneTBB's workers do not survive fork. Children run their loops on the calling thread.
std::atomic<bool> in_fork_child{false};

// Loops that run, and whether a fork is going on, which new loops wait for: either the loop sees the fork, or the fork the loop.
std::atomic<int> running_loops{0};
std::atomic<bool> forking{false};
tbb::task_scheduler_handle* workers = nullptr;

// Python warns of a fork beside other threads, and a program that started none must not hear of ours. They come back with the
// next loop (0.1 ms). While another thread computes they stay: then the warning is deserved, and waiting could last long.
void end_workers_for_fork() {
  crew_mutex.lock();
  forking.store(true);
  if (running_loops.load() != 0 || !workers || in_fork_child.load()) return;
  for (Crew* first : {current_crew.load(std::memory_order_relaxed), small_crews}) {
    for (Crew* each = first; each; each = each->previous) each->arena.terminate();
  }
  tbb::finalize(*workers, std::nothrow);
  *workers = tbb::task_scheduler_handle{tbb::attach{}};
}

void resume_after_fork() {
  forking.store(false);
  crew_mutex.unlock();
}

class RunningLoop {
 public:
  RunningLoop() {
    while (running_loops.fetch_add(1), forking.load()) {
      running_loops.fetch_sub(1);
      std::lock_guard wait(crew_mutex);
    }
  }
  ~RunningLoop() { running_loops.fetch_sub(1); }
  RunningLoop(const RunningLoop&) = delete;
  RunningLoop& operator=(const RunningLoop&) = delete;
};

Crew& crew(int threads) {
  Crew* found = current_crew.load(std::memory_order_acquire);
  if (found && found->threads == threads) return *found;
  std::lock_guard lock(crew_mutex);
  found = current_crew.load(std::memory_order_relaxed);
  if (found && found->threads == threads) return *found;
  base::at_fork(base::ForkStep::kLoops, {end_workers_for_fork, resume_after_fork, [] {
                                           in_fork_child.store(true, std::memory_order_relaxed);
                                           resume_after_fork();
                                         }});
  if (!workers) workers = new tbb::task_scheduler_handle(tbb::attach{});
  delete control;
  control = new tbb::global_control(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(threads));
  auto* fresh = new Crew(threads, found);
  current_crew.store(fresh, std::memory_order_release);
  return *fresh;
}

// The arena of one loop, as long as it runs.
class LoopArena {
 public:
  explicit LoopArena(int threads) {
    const int all = budget();
    Crew& whole = crew(all);
    if (threads >= all) {
      arena_ = &whole.arena;
      return;
    }
    const std::lock_guard lock(crew_mutex);
    own_ = small_crews;
    while (own_ && (own_->taken || own_->threads != threads)) own_ = own_->previous;
    if (!own_) own_ = small_crews = new Crew(threads, small_crews);
    own_->taken = true;
    arena_ = &own_->arena;
  }
  ~LoopArena() {
    if (!own_) return;
    const std::lock_guard lock(crew_mutex);
    own_->taken = false;
  }
  LoopArena(const LoopArena&) = delete;
  LoopArena& operator=(const LoopArena&) = delete;
  tbb::task_arena& operator*() const { return *arena_; }

 private:
  tbb::task_arena* arena_;
  Crew* own_ = nullptr;
};

// Runs [begin, end) in steps of whole chunks, asking before each whether to go on. A step starts with few chunks, since
// nobody knows what one costs, and doubles until it lasts a millisecond.
template <class Continue>
void run_in_steps(int64_t begin, int64_t end, int64_t grain, RangeBody body, Continue may_continue) {
  constexpr int64_t kFirstChunks = 4, kLongEnough = 1'000'000;
  int64_t step = grain * kFirstChunks;
  int64_t started = end - begin > step ? os::now_nanoseconds() : 0;
  while (may_continue()) {
    const int64_t stop = end - begin > step ? begin + step : end;
    body(begin, stop);
    if (stop == end) return;
    const int64_t now = os::now_nanoseconds();
    if (now - started < kLongEnough) step *= 2;
    started = now;
    begin = stop;
  }
}

void run_inline(int64_t count, int64_t grain, RangeBody body, Interrupts interrupts) {
  if (interrupts == Interrupts::kFinish) return body(0, count);
  run_in_steps(0, count, grain, body, [] {
    stop_if_interrupted();
    return true;
  });
}

}  // namespace

void stop_if_interrupted() {
  obey(current_stop_sign());
  bool (*interrupted)() = base::hooks().interrupted;
  if (interrupted && interrupted()) throw Interrupted("interrupted by the user");
}

int thread_count() { return in_fork_child.load(std::memory_order_relaxed) ? 1 : share(); }

int asked_threads() {
  int64_t asked = base::integer_option(base::Option::threads);
  return asked > 0 ? static_cast<int>(std::min<int64_t>(asked, kMaxThreads)) : os::topology().cores;
}

void parallel_for(int64_t count, int64_t grain, RangeBody body, Interrupts interrupts) {
  if (count <= 0) return;
  if (count <= grain) {
    if (interrupts == Interrupts::kStop) obey(current_stop_sign());
    return body(0, count);
  }
  int threads = thread_count();
  if (threads <= 1) return run_inline(count, grain, body, interrupts);
  int64_t chunks = (count - 1) / grain + 1;
  std::thread::id caller = std::this_thread::get_id();
  const StopSign* sign = current_stop_sign();
  const RunningLoop running;
  char loop = 0;
  precedes(&loop);
  const WhenLeft call(follows, &loop);
  const LoopArena arena(threads);
  (*arena).execute([&] {
    tbb::task_group_context context;
    // oneTBB merges chunks into long ranges where no thread is idle; those are left in the middle too.
    const auto range_body = [&](const tbb::blocked_range<int64_t>& range) {
      follows(&loop);
      const WhenLeft chunk(precedes, &loop);
      const int64_t begin = range.begin() * grain, end = std::min(count, range.end() * grain);
      if (interrupts == Interrupts::kFinish) {
        body(begin, end);
      } else {
        run_in_steps(begin, end, grain, body, [&] {
          // The caller may find no place in the arena and wait outside, so everybody looks at its sign.
          obey(sign);
          if (std::this_thread::get_id() == caller) stop_if_interrupted();
          return !context.is_group_execution_cancelled();
        });
      }
    };
    tbb::parallel_for(tbb::blocked_range<int64_t>(0, chunks), range_body, context);
  });
}

}  // namespace manycore::sched
