// What the report says of tasks: how many ran where, how long they waited from their submit to their begin, how busy each worker was,
// the bytes that travelled, deaths. Kept only while somebody asked for a report: `report_kept` is all that a task pays otherwise.
// With the GIL.
#pragma once

#include <Python.h>

#include <cstdint>

#include "os/clock.h"

namespace manycore::python::tasks {

extern bool report_kept;

enum class Place : uint8_t { kThread, kInline, kProcess };
inline constexpr int kPlaces = 3;

// When a task was submitted; 0, which is never counted, without a report.
inline int64_t time_for_report() { return report_kept ? os::now_nanoseconds() : 0; }

// `items` tasks that waited for the same time; `begin` and `end` are theirs together.
struct Ran {
  Place place = Place::kThread;
  int64_t submitted = 0;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t items = 1;
};

// Around a task that this thread runs. One that the program did not submit itself says leave_out().
class TaskTime {
 public:
  TaskTime(Place place, int64_t submitted) : place_(place), submitted_(submitted) {
    if (submitted != 0 && report_kept) [[unlikely]]
      start();
  }
  ~TaskTime() {
    if (begin_ != 0) [[unlikely]]
      finish();
  }
  TaskTime(const TaskTime&) = delete;
  TaskTime& operator=(const TaskTime&) = delete;

  static void leave_out();

 private:
  void start();
  void finish();

  Place place_;
  int64_t submitted_;
  int64_t begin_ = 0;
};

void count_process_task(int64_t process, const Ran& ran);
// Of processes, in bytes: through rings and in blocks; `unchanged` of those in blocks were there already from an earlier call.
void count_sent(int64_t in_rings, int64_t in_blocks, int64_t unchanged);
void count_received(int64_t in_rings, int64_t in_blocks);
void count_death(int64_t retried);
void count_lost(int64_t items);

// In a child of fork: nobody reads a report there.
void forget_report();

}  // namespace manycore::python::tasks
