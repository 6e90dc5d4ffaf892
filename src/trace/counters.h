// What ran where: bytes and calls processed natively and by fallback, in total and (when asked) by site. Adding to the totals
// is one thread-local add; by-site recording takes a lock and is off unless a report was asked for.
#pragma once

#include <cstdint>

#include "manycore/export.h"

namespace manycore::trace {

struct Totals {
  int64_t native_calls = 0;
  int64_t native_bytes = 0;  // bytes of array operands read plus bytes of results written
  int64_t fallback_calls = 0;
  int64_t fallback_bytes = 0;
  int64_t recorded = 0;            // operations that were recorded instead of run
  int64_t groups = 0;              // fused groups that ran
  int64_t grouped = 0;             // instructions in them
  int64_t reused_plans = 0;        // programs that ran as an equal one had been planned
  int64_t materialised_bytes = 0;  // results that they wrote to memory
  int64_t saved_bytes = 0;         // results that the instructions one by one would have written besides
};

MANYCORE_API void count_native(int64_t bytes);

// While it lasts the thread is inside a native operation that is not recorded; the outermost one tells the hook timed_native, where
// that is set, how long it lasted.
class MANYCORE_API NativeTime {
 public:
  NativeTime();
  ~NativeTime();
  NativeTime(const NativeTime&) = delete;
  NativeTime& operator=(const NativeTime&) = delete;

 private:
  bool outermost_;
};
// Spent meanwhile in what is counted on its own, a group of recorded instructions; and how much that was on this thread so far.
MANYCORE_API void count_elsewhere(int64_t nanoseconds);
MANYCORE_API int64_t counted_elsewhere();

// A call that is made of others: while it lasts, what this thread counts natively inside it is not added, so that what the user
// asked for counts once, whatever it is computed from. Counts nothing when count() is not reached (an exception).
class NativeCall {
 public:
  NativeCall();
  ~NativeCall();
  NativeCall(const NativeCall&) = delete;
  NativeCall& operator=(const NativeCall&) = delete;
  void count(int64_t bytes) { bytes_ = bytes; }

 private:
  NativeTime time_;
  int64_t bytes_ = -1;
};

MANYCORE_API void count_fallback(int64_t bytes);
MANYCORE_API void count_recorded();
MANYCORE_API void count_reused_plan();
MANYCORE_API void count_group(int64_t instructions, int64_t materialised_bytes, int64_t saved_bytes);
MANYCORE_API Totals totals();  // sum over all threads so far
MANYCORE_API void reset_totals();

}  // namespace manycore::trace
