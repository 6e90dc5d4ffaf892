// Spawning and joining tasks, beside oneTBB's in the same run: by recursion (fib, one task for each call that branches), and many tasks
// of one group. The figure is the time of one task. Built with -DMANYCORE_BUILD_BENCHMARKS=ON against the shared library, as programs are.
#include <benchmark/benchmark.h>
#include <tbb/global_control.h>
#include <tbb/task_group.h>

#include "base/options.h"
#include "manycore/tasks.h"

namespace {

constexpr int kFib = 25;
constexpr int64_t kFibTasks = 121'392;  // fib(26) - 1
constexpr int64_t kFlatTasks = 10'000;

struct Ours : manycore::TaskGroup {};
struct Theirs : tbb::task_group {
  template <class F>
  void spawn(F&& f) {
    run(std::forward<F>(f));
  }
};

template <class Group>
int64_t fib(int n) {
  if (n < 2) return n;
  int64_t one = 0;
  Group group;
  group.spawn([&one, n] { one = fib<Group>(n - 1); });
  const int64_t other = fib<Group>(n - 2);
  group.wait();
  return one + other;
}

void report(benchmark::State& state, int64_t tasks) {
  state.counters["task"] =
      benchmark::Counter(static_cast<double>(tasks), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Group>
void recursion(benchmark::State& state) {
  const auto threads = static_cast<size_t>(state.range(0));
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  manycore::base::set_option("threads", std::to_string(threads));
  for (auto _ : state) {
    if (fib<Group>(kFib) != 75'025) state.SkipWithError("a wrong sum");
  }
  report(state, kFibTasks);
}

template <class Group>
void flat(benchmark::State& state) {
  const auto threads = static_cast<size_t>(state.range(0));
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
  manycore::base::set_option("threads", std::to_string(threads));
  std::atomic<int64_t> sum{0};
  for (auto _ : state) {
    Group group;
    for (int64_t i = 0; i < kFlatTasks; ++i) group.spawn([&sum] { sum.fetch_add(1, std::memory_order_relaxed); });
    group.wait();
  }
  if (sum != static_cast<int64_t>(state.iterations()) * kFlatTasks) state.SkipWithError("a task is missing");
  report(state, kFlatTasks);
}

BENCHMARK(recursion<Ours>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(recursion<Theirs>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(flat<Ours>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(flat<Theirs>)->Arg(1)->Arg(2)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
