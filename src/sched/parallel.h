// parallel_for over index ranges on oneTBB, inside one arena with the configured number of threads. The calling thread takes
// part. Chunks are aligned to `grain` so that a caller can make results independent of the thread count. Exceptions of a
// body reach the caller; remaining chunks are skipped. Below two chunks it runs inline with no cost beyond the call.
#pragma once

#include <cstdint>
#include <functional>

#include "manycore/export.h"

namespace manycore::sched {

inline constexpr int64_t kMaxThreads = 1024;

// Threads that loops run on: the option `threads`, or every core of this process; 1 in a child made by fork, where the
// workers of the parent do not exist.
MANYCORE_API int thread_count();
// The option alone, in a child too: for threads that start anew there.
MANYCORE_API int asked_threads();

// What happens when the user interrupts (base/hooks.h, asked on the calling thread between chunks) or the call that runs here is told
// to stop (stop.h): stop throws Interrupted; finish goes on. Loops that write into existing arrays finish, so that nobody sees half of an update.
enum class Interrupts : uint8_t { kStop, kFinish };

// A non-owning reference to a callable; the callable outlives the call.
class RangeBody {
 public:
  template <class F>
  RangeBody(const F& f) : context_(&f), call_([](const void* c, int64_t b, int64_t e) { (*static_cast<const F*>(c))(b, e); }) {}
  void operator()(int64_t begin, int64_t end) const { call_(context_, begin, end); }

 private:
  const void* context_;
  void (*call_)(const void*, int64_t, int64_t);
};

// For long loops of one thread: throws Interrupted where the user has asked to stop or the call was told to. Costs a look at the clock.
MANYCORE_API void stop_if_interrupted();

// body(begin, end) for disjoint ranges that cover [0, count), each boundary but the last a multiple of `grain`.
MANYCORE_API void parallel_for(int64_t count, int64_t grain, RangeBody body, Interrupts interrupts = Interrupts::kStop);

}  // namespace manycore::sched
