// Waiting for the end of a thread, any threading.Thread: the standard's join() in slices, so that the search for deadlocks sees the wait
// and can end it.
#include "bindings/locks/deadlocks.h"
#include "bindings/locks/module.h"
#include "bindings/tasks/reference.h"

namespace manycore::python::locks {
namespace {

using tasks::Reference;

constexpr double kSlice = 0.1;

class JoinWait final : public KnownWait {
 public:
  JoinWait(PyObject* joined, uint64_t name) : KnownWait(Kind::join, joined), joined_(manycore::sync::find_thread(name)) {
    if (joined_ != nullptr) serial_ = joined_->serial;
  }
  manycore::sync::Wakers wakers() const override {
    manycore::sync::Wakers wakers;
    // A thread without a record has never waited for anything of ours.
    wakers.ready = joined_ == nullptr || joined_->serial != serial_ || joined_->ended.load(std::memory_order_acquire);
    wakers.exclusive = true;
    if (!wakers.ready) wakers.threads.push_back(joined_);
    return wakers;
  }
  bool knows() const { return joined_ != nullptr; }

 private:
  manycore::sync::Thread* joined_;
  uint64_t serial_ = 0;
};

// Its verdict is seen at the next slice; there is no list to leave.
bool may_leave(void*, task::Waiter&) { return true; }

// join(thread, name, plain join): until the thread is over.
PyObject* join(PyObject*, PyObject* arguments) {
  PyObject *thread = nullptr, *plain = nullptr;
  unsigned long long name = 0;
  if (!PyArg_ParseTuple(arguments, "OKO:join_thread", &thread, &name, &plain)) return nullptr;
  const Reference slice(PyFloat_FromDouble(kSlice));
  const Reference alive(PyUnicode_InternFromString("is_alive"));
  if (!slice || !alive) return nullptr;
  while (true) {
    JoinWait known(thread, name);
    LookUp look(&known);
    task::Waiter waiter;
    known.sleeps(waiter, may_leave, nullptr);
    while (true) {
      if (!Reference(PyObject_CallFunctionObjArgs(plain, thread, slice.get(), nullptr))) return nullptr;
      const Reference lives(PyObject_CallMethodNoArgs(thread, alive.get()));
      const int truth = lives ? PyObject_IsTrue(lives.get()) : -1;
      if (truth < 0) return nullptr;
      if (truth == 0) Py_RETURN_NONE;
      if (raise_verdict(&known)) return nullptr;
      if (look.is_my_turn()) search_for_deadlocks();
      if (raise_verdict(&known)) return nullptr;
      // The thread may have got its record meanwhile.
      if (!known.knows() && manycore::sync::find_thread(name) != nullptr) break;
    }
  }
}

PyMethodDef functions[] = {
    {"join_thread", join, METH_VARARGS,
     "join_thread(thread, ident, join, /)\n--\n\nUntil the thread is over: join(thread, seconds) again and again."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

int add_join(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::locks
