#include "bindings/tasks/future_wait.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "bindings/locks/deadlocks.h"
#include "bindings/tasks/future_object.h"
#include "bindings/tasks/future_wakers.h"
#include "bindings/tasks/interpreter.h"
#include "bindings/tasks/reference.h"
#include "bindings/tasks/standard.h"
#include "bindings/tasks/task_seat.h"
#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

// Python runs signal handlers on its main thread. A signal may be given to another one, which only leaves a mark, so the main
// thread looks up from its sleep now and then.
constexpr int64_t kLookUp = 100'000'000;
// threading.TIMEOUT_MAX, in seconds.
constexpr double kLongestSeconds = 9223372036.0;

bool on_main_thread() { return syscall(SYS_gettid) == getpid(); }

// Takes `waiter` off the future's list; false where somebody has taken the whole list to wake it.
bool unlink(void* fields, task::Waiter& waiter) {
  for (task::Waiter** place = &static_cast<FutureFields*>(fields)->sleepers; *place != nullptr; place = &(*place)->next) {
    if (*place == &waiter) {
      *place = waiter.next;
      return true;
    }
  }
  return false;
}

class FutureWait final : public locks::KnownWait {
 public:
  explicit FutureWait(PyObject* future) : KnownWait(locks::Kind::future, future) {}
  manycore::sync::Wakers wakers() const override { return wakers_of_future(thing); }
};

// `_state` was assigned by somebody who holds the condition while he goes on to assign the rest.
int wait_for_hand(const FutureFields& fields) {
  if (!fields.set_by_hand || fields.condition == nullptr) return 1;
  const Reference condition = Reference::to(fields.condition);
  if (!Reference(PyObject_CallMethodNoArgs(condition.get(), names.acquire))) return -1;
  return Reference(PyObject_CallMethodNoArgs(condition.get(), names.release)) ? 1 : -1;
}

int sleep_until_done(PyObject* future, FutureFields& fields, int64_t deadline) {
  task::Waiter waiter;
  waiter.next = fields.sleepers;
  fields.sleepers = &waiter;
  if (deadline >= 0) return sleep_on(waiter, deadline, unlink, &fields);
  FutureWait known(future);
  return sleep_on(waiter, deadline, unlink, &fields, &known);
}

// The earlier of two points of the clock, of which negative ones never come.
int64_t sooner(int64_t one, int64_t other) {
  if (one < 0 || other < 0) return std::max(one, other);
  return std::min(one, other);
}

bool is_before(int64_t moment) { return moment < 0 || os::now_nanoseconds() < moment; }

// Handlers run here, which may do anything: as long as they do, the thread does not wait.
int check_signals(locks::KnownWait* known) {
  if (known == nullptr) return PyErr_CheckSignals();
  const bool paused = std::exchange(known->pauses, true);
  const int raised = PyErr_CheckSignals();
  known->pauses = paused;
  return raised;
}

int wait_for_source(PyObject* future, int64_t deadline) {
  const Resting resting;
  return fields_of(future).source->wait(future, deadline);
}

}  // namespace

int sleep_on(task::Waiter& waiter, int64_t deadline, bool (*unlink)(void* owner, task::Waiter& waiter), void* owner,
             locks::KnownWait* known) {
  const Resting resting;
  const bool looks_up = on_main_thread();
  locks::LookUp look(deadline < 0 ? known : nullptr);
  if (known != nullptr) known->sleeps(waiter, unlink, owner);
  for (bool first = true;; first = false) {
    PyThreadState* state = release_interpreter();
    const int64_t lasts = looks_up ? os::now_nanoseconds() + kLookUp : -1;
    bool searches = false;
    task::Waiter::Ended ended;
    do {
      ended = waiter.wait(sooner(deadline, sooner(lasts, look.next())), first);
      searches = ended == task::Waiter::Ended::timed_out && look.is_my_turn();
    } while (ended == task::Waiter::Ended::timed_out && !searches && is_before(sooner(deadline, lasts)));
    take_gil(state);
    if (ended == task::Waiter::Ended::done) return locks::raise_verdict(known) ? -1 : 1;
    if (searches) locks::search_for_deadlocks();
    const bool raised = check_signals(known) != 0;
    if (!raised && (deadline < 0 || os::now_nanoseconds() < deadline)) continue;
    if (!unlink(owner, waiter)) {
      waiter.wait_for_promised();
      if (!raised) return locks::raise_verdict(known) ? -1 : 1;
    }
    return raised ? -1 : 0;
  }
}

bool deadline_of(PyObject* timeout, int64_t* deadline) {
  *deadline = -1;
  if (timeout == nullptr || timeout == Py_None) return true;
  const double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1.0 && PyErr_Occurred() != nullptr) return false;
  if (seconds > kLongestSeconds) {
    PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
    return false;
  }
  const int64_t now = os::now_nanoseconds();
  // What is not above zero is over at once, as NaN is. Beyond what the clock holds lies no deadline that anybody would see.
  if (!(seconds * 1e9 >= static_cast<double>(INT64_MAX - now)))
    *deadline = now + (seconds > 0 ? static_cast<int64_t>(seconds * 1e9) : 0);
  return true;
}

int wait_until_done(PyObject* future, int64_t deadline) {
  FutureFields& fields = fields_of(future);
  if (fields.source != nullptr) look(future);
  if (!is_done(fields)) {
    if (deadline >= 0 && os::now_nanoseconds() >= deadline) return 0;
    const int done = fields.source != nullptr ? wait_for_source(future, deadline) : sleep_until_done(future, fields, deadline);
    if (done <= 0) return done;
  }
  return wait_for_hand(fields);
}

}  // namespace manycore::python::tasks
