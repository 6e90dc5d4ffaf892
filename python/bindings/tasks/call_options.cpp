#include "bindings/tasks/call_options.h"

#include <cmath>
#include <memory>

#include "os/clock.h"

namespace manycore::python::tasks {
namespace {

constexpr double kNanoseconds = 1e9;
constexpr double kLongest = 1e9;  // seconds; what is later is never

}  // namespace

CallOptions* make_options(PyObject* described) {
  long long priority = 0;
  PyObject *deadline = nullptr, *name = nullptr, *error = nullptr, *retries = nullptr, *site = nullptr;
  if (!PyArg_ParseTuple(described, "LOOOO|O:options", &priority, &deadline, &name, &error, &retries, &site)) return nullptr;
  auto options = std::make_unique<CallOptions>();
  options->priority = priority;
  options->name = Reference::to(name);
  options->error = Reference::to(error);
  options->site = Reference::to(site);
  if (retries != Py_None) {
    options->retries = static_cast<int>(PyLong_AsLong(retries));
    if (PyErr_Occurred() != nullptr) return nullptr;
  }
  if (deadline != Py_None) {
    options->seconds = PyFloat_AsDouble(deadline);
    if (PyErr_Occurred() != nullptr) return nullptr;
    if (options->seconds < kLongest) {
      options->deadline = os::now_nanoseconds() + static_cast<int64_t>(std::ceil(options->seconds * kNanoseconds));
    }
  }
  return options.release();
}

Reference lateness(const task::Order& order, PyObject* function) {
  if (order.deadline == task::Order::kNever) return {};
  const int64_t late = os::now_nanoseconds() - order.deadline;
  if (late <= 0) return {};
  return late_error(static_cast<const CallOptions&>(order), function, late);
}

Reference late_error(const CallOptions& options, PyObject* function, int64_t nanoseconds_late) {
  Reference error(PyObject_CallFunction(options.error.get(), "OOdd", function, options.name.get(), options.seconds,
                                        static_cast<double>(nanoseconds_late) / kNanoseconds));
  return error ? std::move(error) : take_raised();
}

}  // namespace manycore::python::tasks
