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

bool interrupted() {
  static std::atomic<int64_t> last_asked{0};
  const int64_t now = os::now_nanoseconds();
  if (now - last_asked.load(std::memory_order_relaxed) < kPause || PyThread_get_thread_ident() != main_thread) return false;
  const PyGILState_STATE state = ensure_gil();
  const bool raised = PyErr_CheckSignals() != 0;  // runs the program's own handlers; what they raise stays set
  PyGILState_Release(state);
  last_asked.store(os::now_nanoseconds(), std::memory_order_relaxed);
  return raised;
}

}  // namespace

bool register_interrupt() {
  PyObject* threading = PyImport_ImportModule("threading");
  PyObject* thread = threading ? PyObject_CallMethod(threading, "main_thread", nullptr) : nullptr;
  PyObject* ident = thread ? PyObject_GetAttrString(thread, "ident") : nullptr;
  if (ident != nullptr) main_thread = PyLong_AsUnsignedLong(ident);
  Py_XDECREF(ident);
  Py_XDECREF(thread);
  Py_XDECREF(threading);
  if (PyErr_Occurred()) return false;
  base::hooks().interrupted = interrupted;
  return true;
}

}  // namespace manycore::python
