// What a process pool's executor and its background thread share: the crew, the functions that workers know, and how replies become
// futures' outcomes. Owned by a Python object that executor, thread and every pending future hold. With the GIL; `wait` and the
// background thread let go of it while they wait.
// Callbacks of futures run on the background thread alone: who calls submit() or result() may hold locks that they want.
#pragma once

#include <Python.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "bindings/tasks/call_options.h"
#include "bindings/tasks/call_site.h"
#include "bindings/tasks/future_object.h"
#include "bindings/tasks/pickling.h"
#include "bindings/tasks/reference.h"
#include "worker/crew.h"

namespace manycore::python::tasks {

// The bindings' part of a call, freed when its future is done.
struct TaskOwner {
  PyObject* future;
  PyObject* core;      // the Python object, so that the future's source lives
  PyObject* function;  // for the text of errors; its name, where it is not a module's
  PyObject* code;      // where it was submitted: code object and instruction
  int instruction;
  std::unique_ptr<CallOptions> options;  // null: none
};

// How many calls worker processes have answered, of all pools of this process.
int64_t calls_answered();

class ProcessCore final : public FutureSource {
 public:
  ProcessCore(PyObject* self, int slots) : crew(worker::Crew::make(slots)), self_(self) {}

  // The future of submit(), or null with an exception.
  PyObject* submit(PyObject* function, PyObject* arguments, PyObject* keywords, std::unique_ptr<CallOptions> options);
  // One call for each of the items (a list or another iterable of plain state), together. `only_with_room`: None where there is no
  // memory for them now. `site`: as of the options, or null.
  PyObject* submit_items(PyObject* function, PyObject* items, bool tuples, bool only_with_room,
                         std::unique_ptr<CallOptions> options, PyObject* site);
  // Raises what keeps the object from being sent by itself; false then.
  bool can_pickle(PyObject* object);
  // False with an exception once no more calls are taken.
  bool accepts();
  // Waits until memory has come back. 0 where none will or this thread may not wait, -1 with an exception.
  int wait_for_room();

  void look() override { look(false); }
  bool is_running(PyObject* future) override;
  bool withdraw(PyObject* future) override;
  Stop stop(PyObject* future, bool force) override;
  void serve() override {
    if (!orphaned_) crew->serve_each(true);
  }
  int wait(PyObject* future, int64_t deadline) override;

  // The background thread: waits until a worker is gone or chunks of a map() are done (a list of tuples of those that are gone), or
  // everything is over (None).
  PyObject* serve_background();
  int cancel_waiting();
  int fail_waiting(PyObject* exception);
  // In a child of fork: what waits is the parent's; who waits for it here is told so.
  void orphan();

  std::shared_ptr<worker::Crew> crew;
  Reference starter;        // starter(): starts workers where they are missing, and the background thread
  Reference death_error;    // death_error(process, exit code, peak bytes, function, code, instruction): an exception
  Reference main_by_value;  // see pickling.h; null: as names
  Reference refusal;        // what submit() raises; null while it works
  int retries = 0;
  Reference breaking;  // what submit() raises once a worker has died; null where the pool goes on
  bool started = false;
  int64_t waits = 0;  // for memory, and how long they took together
  int64_t nanoseconds_waited = 0;
  bool shut_down = false;

 private:
  struct Known {
    std::shared_ptr<worker::Function> function;
    Reference object;
    Reference names;  // the dict in which pickle would look it up
    Reference name;
  };

  std::shared_ptr<worker::Lease> keep(const void* data, int64_t bytes);
  std::shared_ptr<worker::Lease> keep_now(const void* data, int64_t bytes, std::string* refusal);
  std::shared_ptr<worker::Lease> spill(const void* data, int64_t bytes);
  int wait_for_return(uint32_t seen, int64_t* hopeless_since);
  Reference death_of(const worker::Death& death, const TaskOwner& owner);
  Reference unreadable(const worker::Finished& finished, const TaskOwner& owner);
  PyObject* send(std::unique_ptr<worker::Call> call, Pickled& pickled, PyObject* function, std::unique_ptr<CallOptions> options,
                 PyObject* site = nullptr);
  const Known* known(PyObject* function);
  std::shared_ptr<worker::Function> anonymous();
  bool start_workers(bool short_of_workers, worker::Call* call, PyObject* future);
  void look(bool feeds);
  void complete(worker::Finished& finished, bool may_call, bool feeds);
  Reference outcome_of(worker::Finished& finished);
  void free_owner(TaskOwner* owner);
  void note_sent(worker::Call& call);
  void note_finished(const worker::Finished& finished);
  PyObject* departures();

  PyObject* self_;
  std::unordered_map<PyObject*, Known> functions_;
  std::shared_ptr<worker::Function> anonymous_;
  std::deque<worker::Finished> deferred_;  // their futures have callbacks or a condition
  std::atomic<uint64_t> completions_{0};
  int64_t noted_unchanged_ = 0;  // bytes, as far as the report has them
  uint32_t returns_seen_ = 0;    // before there was no room for a chunk
  bool orphaned_ = false;
  bool feed_wanted_ = false;  // chunks are done, and nobody has sent the next ones since
};

}  // namespace manycore::python::tasks
