#include "bindings/tasks/stop_call.h"

#include "bindings/locks/known_wait.h"
#include "bindings/tasks/module.h"
#include "bindings/tasks/pool_core.h"

namespace manycore::python::tasks {
namespace {

PyObject* method_stop(PyObject*, PyObject* arguments) {
  PyObject* future = nullptr;
  int force = 0;
  if (!PyArg_ParseTuple(arguments, "O!p:stop_call", future_type, &future, &force)) return nullptr;
  const int answer = stop_call(future, force != 0);
  return answer < 0 ? nullptr : PyBool_FromLong(answer);
}

PyMethodDef functions[] = {
    {"stop_call", method_stop, METH_VARARGS,
     "stop_call(future, force, /)\n--\n\nCancel the call, or tell it to stop where it runs; with force, end the process it runs "
     "in."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

// A future may be given to a second call by hand; then it is that one's until it ends.
RunningHere::RunningHere(PyObject* future, const PythonCall* call)
    : scope_(told_, 1), fields_(fields_of(future)), process_(process_generation()), thread_(locks::this_thread()), call_(call) {
  fields_.running = this;
}

RunningHere::~RunningHere() {
  if (fields_.running == this) fields_.running = nullptr;
}

bool RunningHere::is_of_this_process() const { return process_ == process_generation(); }

int stop_call(PyObject* future, bool force) {
  const Reference kept = Reference::to(future);
  FutureFields& fields = fields_of(future);
  for (;;) {
    const int cancelled = cancel(future);
    if (cancelled != 0) return cancelled;
    if (is_done(fields)) return 0;
    if (fields.source != nullptr) {
      const FutureSource::Stop answer = fields.source->stop(future, force);
      if (answer == FutureSource::Stop::waits) continue;  // its worker died in this moment, and it is to run again
      return answer == FutureSource::Stop::told ? 1 : 0;
    }
    if (fields.running == nullptr || !fields.running->is_of_this_process()) return 0;
    if (force) {
      PyErr_SetString(
          PyExc_ValueError,
          "cancel: force=True ends the process that runs a call, but this one runs on a thread of this process, which "
          "cannot be ended; cancel without force, which stops its native loops, or submit it to a ProcessPoolExecutor");
      return -1;
    }
    fields.running->tell();
    return 1;
  }
}

int add_stop_call(PyObject* module) { return PyModule_AddFunctions(module, functions); }

}  // namespace manycore::python::tasks
