// ProcessCore's part for the pool's own thread, and what ends many calls at once.
#include "bindings/gil.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/process_core.h"
#include "bindings/tasks/standard.h"
#include "bindings/tasks/task_report.h"

namespace manycore::python::tasks {

PyObject* ProcessCore::departures() {
  worker::Departure departure;
  Reference list;
  while (crew->collect(&departure)) {
    if (!list) list = Reference(PyList_New(0));
    if (report_kept && !departure.forced && !(departure.asked && departure.death.exit_code == 0)) count_death(departure.retried);
    const Reference exit_code =
        departure.death.known ? Reference(PyLong_FromLong(departure.death.exit_code)) : Reference::to(Py_None);
    const Reference entry(Py_BuildValue("(LOOOO)", static_cast<long long>(departure.death.process), exit_code.get(),
                                        departure.asked ? Py_True : Py_False, departure.was_ready ? Py_True : Py_False,
                                        departure.forced ? Py_True : Py_False));
    if (!list || !entry || PyList_Append(list.get(), entry.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* ProcessCore::serve_background() {
  for (;;) {
    crew->sweep();
    worker::Finished finished;
    while (!deferred_.empty() || crew->collect(&finished)) {
      if (!deferred_.empty()) {
        finished = std::move(deferred_.front());
        deferred_.pop_front();
      }
      complete(finished, true, false);
    }
    if (PyObject* list = departures()) return list;
    if (PyErr_Occurred() != nullptr) return nullptr;
    if (std::exchange(feed_wanted_, false)) return PyList_New(0);
    const bool nothing_left = crew->outstanding() == 0 && deferred_.empty();
    if (shut_down) {
      crew->serve_each(true);
      if (nothing_left) {
        if (crew->live_workers() == 0) Py_RETURN_NONE;
        crew->dismiss_all();
      }
    } else if (nothing_left) {
      crew->serve_each(false);
    }
    PyThreadState* state = release_interpreter();
    crew->wait_in_background(-1);
    take_gil(state);
  }
}

void ProcessCore::orphan() {
  orphaned_ = true;
  crew->orphan();
}

int ProcessCore::cancel_waiting() {
  for (std::unique_ptr<worker::Call>& call : crew->withdraw_waiting()) {
    auto* owner = static_cast<TaskOwner*>(call->owner);
    const Reference future = Reference::to(owner->future);
    free_owner(owner);
    fields_of(future.get()).source = nullptr;
    if (cancel(future.get()) < 0 ||
        (fields_of(future.get()).state == FutureState::kCancelled && set_running_or_notify_cancel(future.get()) < 0))
      log_failed_callback(future.get(), take_raised().get());
  }
  completions_.fetch_add(1, std::memory_order_seq_cst);
  crew->wake_leader();
  return 0;
}

int ProcessCore::fail_waiting(PyObject* exception) {
  for (std::unique_ptr<worker::Call>& call : crew->withdraw_waiting()) {
    auto* owner = static_cast<TaskOwner*>(call->owner);
    const Reference future = Reference::to(owner->future);
    free_owner(owner);
    if (!is_done(fields_of(future.get())) && set_exception(future.get(), exception) < 0)
      log_failed_callback(future.get(), take_raised().get());
  }
  completions_.fetch_add(1, std::memory_order_seq_cst);
  crew->wake_leader();
  return 0;
}

}  // namespace manycore::python::tasks
