// One map() over a pool: its items stand in the pool's queue as a single call that is taken once for each item, so an item costs no
// future of its own while any free thread still takes the next one. The results wait in their items' places for the iterator.
// Counted: the iterator, the queue while it is linked, and each running item hold it. With the GIL.
// A map may also begin as a row: one thread takes item after item and nobody else does, until widen_map() opens it to all or
// take_rest() takes away what has not begun.
#pragma once

#include <Python.h>

#include <cstdint>
#include <vector>

#include "bindings/tasks/future_object.h"
#include "bindings/tasks/reference.h"
#include "bindings/tasks/task_report.h"
#include "task/queue.h"

namespace manycore::python::tasks {

class PoolCore;

struct MapItem {
  enum class State : uint8_t { kWaiting, kRunning, kReturned, kRaised, kCancelled, kGiven };
  PyObject* value = nullptr;  // what waits: the argument or a tuple of them; afterwards the result or the exception
  State state = State::kWaiting;
};

// What task::Call::kind says of the calls in a pool's queue.
inline constexpr uint8_t kPythonCall = 0;
inline constexpr uint8_t kMapCall = 1;

struct MapRun : task::Call {
  Reference callable;
  Reference context;  // each item runs in a copy of it; null: in the thread's own
  int64_t submitted = time_for_report();
  bool unpacks = false;  // an item's value is a tuple of arguments
  std::vector<MapItem> items;
  size_t next_to_run = 0;
  size_t next_to_give = 0;
  size_t returned = 0;  // items that are over, and those of them that raised
  size_t failed = 0;
  bool in_row = false;
  unsigned long row_thread = 0;     // the system's number of the thread that takes the row
  bool abandoned = false;           // nobody will ask for results
  task::Waiter* sleeper = nullptr;  // the iterator waits for next_to_give
  int holders = 1;

  void drop();
};

inline MapRun* as_map(task::Call* call) { return call->kind == kMapCall ? static_cast<MapRun*>(call) : nullptr; }

// Runs the next item, which the caller has taken out of the queue's count, or the row, and drops the caller's hold.
void run_map_item(MapRun* map, Wakeups& later);
// Any free thread takes the items of a row from now on.
bool widen_map(PoolCore& pool, MapRun* map);
// A list of what has not begun, which is no item of this map any more.
PyObject* take_rest(PoolCore& pool, MapRun* map);
// For maps that leave the queue unfinished: what waits fails, or is cancelled.
void fail_map(MapRun* map, PyObject* exception);
void cancel_map(MapRun* map);
// Nobody asks for results any more: what has not begun never will.
void abandon_map(PoolCore& pool, MapRun* map);
void cancel_rest(PoolCore& pool, MapRun* map);

// pool.map: all items are taken from the iterables now. `deadline` as of deadline_of(); `order` (null: none) becomes the map's.
PyObject* start_map(PoolCore& pool, PyObject* callable, PyObject* iterables, int64_t deadline, task::Order* order = nullptr);
// The same over a list of arguments, or of tuples of them (`unpacks`), which begins as a row.
PyObject* start_row(PoolCore& pool, PyObject* callable, PyObject* list, bool unpacks, int64_t deadline);

// The pool of what start_map answered; null for anything else.
PoolCore* pool_of_results(PyObject* results);

}  // namespace manycore::python::tasks
