// Ctrl-C during a long loop of the engine. The engine asks between chunks on the calling thread; asking Python costs the GIL, so
// it is asked only on the main thread (no other runs signal handlers) and once per kPause.
#include <atomic>

#include "base/hooks.h"
#include "bindings/array_object.h"
#include "bindings/gil.h"
#include "os/clock.h"

namespace manycore::python {
namespace {

// Nanoseconds. Asking may wait for another thread's turn with the GIL (5 ms), so at most a tenth of the time goes there.
constexpr int64_t kPause = 50'000'000;

unsigned long main_thread = 0;

// A fork holds the GIL and waits for programs that run, so none of those may wait for the GIL: either the fork sees it asking, or it
// sees the fork and asks later.
std::atomic<int> forks{0};
std::atomic<bool> is_asking{false};

bool interrupted() {
  static std::atomic<int64_t> last_asked{0};
  const int64_t now = os::now_nanoseconds();
  if (now - last_asked.load(std::memory_order_relaxed) < kPause || PyThread_get_thread_ident() != main_thread) return false;
  is_asking.store(true);
  if (forks.load() > 0) {
    is_asking.store(false);
    return false;
  }
  const PyGILState_STATE state = ensure_gil();
  is_asking.store(false);
  const bool raised = PyErr_CheckSignals() != 0;  // runs the program's own handlers; what they raise stays set
  PyGILState_Release(state);
  last_asked.store(os::now_nanoseconds(), std::memory_order_relaxed);
  return raised;
}

PyObject* before_fork(PyObject*, PyObject*) {
  forks.fetch_add(1);
  while (is_asking.load()) take_gil(PyEval_SaveThread());  // its turn
  Py_RETURN_NONE;
}

PyObject* after_fork_in_parent(PyObject*, PyObject*) {
  forks.fetch_sub(1);
  Py_RETURN_NONE;
}

PyObject* after_fork_in_child(PyObject*, PyObject*) {
  forks.store(0);
  is_asking.store(false);
  main_thread = PyThread_get_thread_ident();
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"before_fork", before_fork, METH_NOARGS,
                            "Waits until no recorded program that runs waits for the GIL; until after_fork none will."},
                           {"after_fork_in_parent", after_fork_in_parent, METH_NOARGS, nullptr},
                           {"after_fork_in_child", after_fork_in_child, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_interrupt(PyObject* module) {
  PyObject* threading = PyImport_ImportModule("threading");
  PyObject* thread = threading ? PyObject_CallMethod(threading, "main_thread", nullptr) : nullptr;
  PyObject* ident = thread ? PyObject_GetAttrString(thread, "ident") : nullptr;
  if (ident != nullptr) main_thread = PyLong_AsUnsignedLong(ident);
  Py_XDECREF(ident);
  Py_XDECREF(thread);
  Py_XDECREF(threading);
  if (PyErr_Occurred()) return false;
  base::hooks().interrupted = interrupted;
  return PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace manycore::python
