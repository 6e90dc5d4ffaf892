#include "bindings/locks/deadlocks.h"

#include <pthread.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "bindings/locks/lock_order.h"
#include "bindings/locks/module.h"
#include "bindings/tasks/reference.h"
#include "os/clock.h"
#include "sync/closed_set.h"

namespace manycore::python::locks {

using manycore::sync::Closed;
using manycore::sync::Standing;
using manycore::sync::Thread;
using manycore::sync::Wakers;
using tasks::Reference;

PyObject* deadlock_error = nullptr;

namespace {

constexpr int64_t kShortestLeave = 200'000'000;
constexpr int64_t kLongestLeave = 8'000'000'000;

bool watching = true;
bool searching = false;
PyObject* judge =
    nullptr;  // judge(certain, members, stuck, idle): an exception, True where it was told, None: not now, False: soon
int64_t searches = 0;

const char* const kKindNames[] = {"lock", "rlock", "join", "future", "map", "condition", "event", "semaphore"};

// A waiting thread and the wait that it was seen in: both may be others by the time that Python code has run.
struct Member {
  Thread* thread;
  KnownWait* wait;
  uint64_t serial;
  Wakers wakers;

  bool is_still_there() const { return thread->wait != nullptr && thread->wait->serial == serial && !wait->is_over(); }
};

std::vector<Member> waiting_threads() {
  std::vector<Member> members;
  for (Thread* thread = manycore::sync::first_thread(); thread != nullptr; thread = thread->next) {
    if (thread->wait == nullptr || thread->wait->pauses || thread->ended.load(std::memory_order_acquire)) continue;
    auto* wait = static_cast<KnownWait*>(thread->wait);
    if (wait->is_over() || wait->verdict != nullptr) continue;
    members.push_back({thread, wait, wait->serial, wait->wakers()});
  }
  return members;
}

// In the certain sense whatever is not exclusive goes on.
Closed close(const std::vector<Member>& members, bool certain) {
  std::unordered_map<const Thread*, int> index;
  for (const Member& member : members) index.emplace(member.thread, static_cast<int>(index.size()));
  std::vector<Standing> standings;
  for (const Member& member : members) {
    Standing standing;
    standing.goes_on = member.wakers.ready || (certain && !member.wakers.exclusive);
    standing.anyone = member.wakers.anyone;
    for (const Thread* waker : member.wakers.threads) {
      const auto found = index.find(waker);
      if (found != index.end()) {
        standing.wakers.push_back(found->second);
      } else if (!waker->ended.load(std::memory_order_acquire)) {
        standing.goes_on = true;
      }
    }
    standings.push_back(std::move(standing));
  }
  return manycore::sync::find_closed(standings, false);
}

Reference names_of(const std::vector<Thread*>& threads) {
  Reference list(PyList_New(0));
  for (const Thread* thread : threads) {
    const Reference name(PyLong_FromUnsignedLongLong(thread->ended.load(std::memory_order_acquire) ? 0 : thread->name));
    if (!list || !name || PyList_Append(list.get(), name.get()) < 0) return {};
  }
  return list;
}

// (thread, kind, thing, seconds waited, threads that could end it, cancellable, serial)
Reference described(const Member& member, int64_t now) {
  const Reference wakers = names_of(member.wakers.threads);
  if (!wakers) return {};
  return Reference(Py_BuildValue("(KsOdOOK)", static_cast<unsigned long long>(member.thread->name),
                                 kKindNames[static_cast<int>(member.wait->kind)], member.wait->thing,
                                 static_cast<double>(now - member.wait->since) * 1e-9, wakers.get(),
                                 member.wakers.cancellable ? Py_True : Py_False, static_cast<unsigned long long>(member.serial)));
}

Reference all_described(const std::vector<Member>& members, const std::vector<int>& which) {
  const int64_t now = os::now_nanoseconds();
  Reference list(PyList_New(0));
  for (const int i : which) {
    const Reference one = described(members[static_cast<size_t>(i)], now);
    if (!list || !one || PyList_Append(list.get(), one.get()) < 0) return {};
  }
  return list;
}

Reference idle_threads() {
  std::vector<Thread*> idle;
  for (Thread* thread = manycore::sync::first_thread(); thread != nullptr; thread = thread->next) {
    if (thread->idle != nullptr && thread->wait == nullptr && !thread->ended.load(std::memory_order_acquire))
      idle.push_back(thread);
  }
  return names_of(idle);
}

bool is_left_alone(const std::vector<Member>& members, const std::vector<int>& circle) {
  const int64_t now = os::now_nanoseconds();
  return std::any_of(circle.begin(), circle.end(), [&](int i) {
    const KnownWait& wait = *members[static_cast<size_t>(i)].wait;
    return wait.was_told || (wait.judged != 0 && now < wait.judged + wait.left_alone);
  });
}

// Not now: the next time after twice as long.
void leave_alone(const Member& member) {
  if (!member.is_still_there()) return;
  KnownWait& wait = *member.wait;
  wait.judged = os::now_nanoseconds();
  wait.left_alone = wait.left_alone == 0 ? kShortestLeave : std::min(2 * wait.left_alone, kLongestLeave);
}

// Ends the youngest wait that can be ended. False where none can.
bool condemn(std::vector<Member>& members, std::vector<int> circle, PyObject* exception) {
  std::sort(circle.begin(), circle.end(), [&](int one, int other) {
    return members[static_cast<size_t>(one)].serial > members[static_cast<size_t>(other)].serial;
  });
  for (const int i : circle) {
    KnownWait& wait = *members[static_cast<size_t>(i)].wait;
    if (wait.spared || wait.waiter == nullptr || wait.unlink == nullptr || !wait.unlink(wait.owner, *wait.waiter)) continue;
    wait.verdict = Py_NewRef(exception);
    wait.condemned = true;
    wait.waiter->done();
    return true;
  }
  return false;
}

// The rules come with manycore.threading; a program of futures alone gets them now.
bool has_judge() {
  if (judge != nullptr) return true;
  const Reference module(PyImport_ImportModule("manycore.threading"));
  if (!module) PyErr_WriteUnraisable(nullptr);
  return judge != nullptr;
}

void judge_circle(std::vector<Member>& members, const Closed& closed, const std::vector<int>& circle, bool certain) {
  if (is_left_alone(members, circle) || !has_judge()) return;
  std::vector<int> all = closed.behind;
  for (const auto& other : closed.circles) all.insert(all.end(), other.begin(), other.end());
  const Reference described = all_described(members, circle), stuck = all_described(members, all), idle = idle_threads();
  const Reference answer(described && stuck && idle ? PyObject_CallFunction(judge, "OOOO", certain ? Py_True : Py_False,
                                                                            described.get(), stuck.get(), idle.get())
                                                    : nullptr);
  if (!answer) {
    PyErr_WriteUnraisable(judge);
    for (const int i : circle) leave_alone(members[static_cast<size_t>(i)]);
    return;
  }
  // Python code has run, and so may have others.
  for (const int i : all) {
    if (!members[static_cast<size_t>(i)].is_still_there()) return;
  }
  if (answer.get() == Py_False) return;
  if (answer.get() == Py_None) {
    for (const int i : circle) leave_alone(members[static_cast<size_t>(i)]);
    return;
  }
  for (const int i : circle) members[static_cast<size_t>(i)].wait->was_told = true;
  if (answer.get() != Py_True) condemn(members, circle, answer.get());
}

void search(bool certain) {
  // Judging one circle changes what the others are.
  for (size_t done = 0;; ++done) {
    std::vector<Member> members = waiting_threads();
    const Closed closed = close(members, certain);
    if (done >= closed.circles.size()) return;
    judge_circle(members, closed, closed.circles[done], certain);
  }
}

PyObject* set_judge(PyObject*, PyObject* function) {
  Py_XSETREF(judge, function == Py_None ? nullptr : Py_NewRef(function));
  Py_RETURN_NONE;
}

PyObject* watch(PyObject*, PyObject* on) {
  const int truth = PyObject_IsTrue(on);
  if (truth < 0) return nullptr;
  watching = truth != 0;
  Py_RETURN_NONE;
}

PyObject* count_searches(PyObject*, PyObject*) { return PyLong_FromLongLong(searches); }

PyObject* count_waits(PyObject*, PyObject*) { return PyLong_FromLong(manycore::sync::waits_now()); }

PyObject* version(PyObject*, PyObject*) { return PyLong_FromUnsignedLongLong(manycore::sync::waits_version()); }

// The stacks on which the waits of the other threads lay are used again in the child.
void after_fork_in_child() {
  manycore::sync::forget_other_threads(here);
  forget_sleepers();
  searching = false;
}

PyMethodDef functions[] = {
    {"set_deadlock_judge", set_judge, METH_O, "Who is asked what to do about a closed set of waits; None: nobody."},
    {"watch_waits", watch, METH_O, "Search for deadlocks among waits that begin from now on, or do not."},
    {"deadlock_searches", count_searches, METH_NOARGS, "How often somebody has searched."},
    {"waits_now", count_waits, METH_NOARGS, "How many known waits there are."},
    {"waits_version", version, METH_NOARGS, "Another number after each begin and end of a known wait."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool is_watching() { return watching; }

void search_for_deadlocks() {
  if (searching) return;
  searching = true;
  ++searches;
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  search(true);
  search(false);
  PyErr_Restore(type, value, traceback);
  searching = false;
}

int add_deadlocks(PyObject* module) {
  deadlock_error = PyErr_NewExceptionWithDoc(
      "manycore.threading.DeadlockError",
      "Threads wait for each other and none of them could ever go on. Raised in the one that began to wait last.",
      PyExc_RuntimeError, nullptr);
  if (deadlock_error == nullptr || PyModule_AddObjectRef(module, "DeadlockError", deadlock_error) < 0) return -1;
  if (pthread_atfork(nullptr, nullptr, after_fork_in_child) != 0) {
    PyErr_NoMemory();
    return -1;
  }
  return PyModule_AddFunctions(module, functions);
}

}  // namespace manycore::python::locks
