// Floating point conditions under numpy.errstate: what NumPy's ufuncs do after a loop, with NumPy's words. The state itself is
// NumPy's own (a context variable), shared by both sides.
#include "bindings/errstate.h"

#include <cstdio>
#include <string_view>

#include "bindings/numpy_api.h"
#include "bindings/raise_later.h"
#include "evaluate/elementwise.h"

namespace manycore::python {

namespace {

enum class Mode : unsigned char { kIgnore, kWarn, kRaise, kCall, kPrint, kLog };

struct Condition {
  unsigned bit;
  const char* key;   // in numpy.geterr()
  const char* text;  // in the warning
};
constexpr Condition kConditions[] = {{evaluate::kDivideByZero, "divide", "divide by zero"},
                                     {evaluate::kOverflow, "over", "overflow"},
                                     {evaluate::kUnderflow, "under", "underflow"},
                                     {evaluate::kInvalid, "invalid", "invalid value"}};
constexpr int kConditionCount = 4;

struct Modes {
  Mode of[kConditionCount];
};

Mode mode_from(PyObject* text) {
  const char* name = PyUnicode_AsUTF8(text);
  if (!name) PyErr_Clear();
  const std::string_view mode = name ? name : "";
  if (mode == "ignore") return Mode::kIgnore;
  if (mode == "raise") return Mode::kRaise;
  if (mode == "call") return Mode::kCall;
  if (mode == "print") return Mode::kPrint;
  if (mode == "log") return Mode::kLog;
  return Mode::kWarn;
}

bool ask_numpy(Modes* modes) {
  PyObject* state = PyObject_CallNoArgs(numpy_objects.geterr);
  if (!state) return false;
  for (int i = 0; i < kConditionCount; ++i) {
    PyObject* text = PyDict_GetItemString(state, kConditions[i].key);
    modes->of[i] = text ? mode_from(text) : Mode::kWarn;
  }
  Py_DECREF(state);
  return true;
}

// geterr() costs over a microsecond and a program under errstate(ignore) may divide by zero in every call. The context variable
// holds an immutable object per state, so the answer is remembered for the last one seen (kept alive: its address is the key).
bool modes_in_force(Modes* modes) {
  static PyObject* last_state = nullptr;
  static Modes last_modes;
  if (!numpy_objects.errstate_variable) return ask_numpy(modes);
  PyObject* state = nullptr;
  if (PyContextVar_Get(numpy_objects.errstate_variable, nullptr, &state) < 0) return false;
  if (!state) return ask_numpy(modes);
  if (state != last_state) {
    if (!ask_numpy(&last_modes)) {
      Py_DECREF(state);
      return false;
    }
    Py_XSETREF(last_state, state);
  } else {
    Py_DECREF(state);
  }
  *modes = last_modes;
  return true;
}

int call_back(const Condition& condition, unsigned status, const char* operation) {
  PyObject* function = PyObject_CallNoArgs(numpy_objects.geterrcall);
  if (!function) return -1;
  if (function == Py_None) {
    Py_DECREF(function);
    PyErr_Format(PyExc_NameError, "python callback specified for %s (in  %s) but no function found.", condition.text, operation);
    return -1;
  }
  PyObject* result = PyObject_CallFunction(function, "sI", condition.text, status);
  Py_DECREF(function);
  if (!result) return -1;
  Py_DECREF(result);
  return 0;
}

int write_log(const Condition& condition, const char* operation) {
  PyObject* log = PyObject_CallNoArgs(numpy_objects.geterrcall);
  if (!log) return -1;
  if (log == Py_None) {
    Py_DECREF(log);
    PyErr_Format(PyExc_NameError, "log specified for %s (in %s) but no object with write method found.", condition.text,
                 operation);
    return -1;
  }
  PyObject* text = PyUnicode_FromFormat("Warning: %s encountered in %s\n", condition.text, operation);
  PyObject* result = text ? PyObject_CallMethod(log, "write", "O", text) : nullptr;
  Py_XDECREF(text);
  Py_DECREF(log);
  if (!result) return -1;
  Py_DECREF(result);
  return 0;
}

int report_one(const Condition& condition, Mode mode, unsigned status, const char* operation) {
  switch (mode) {
    case Mode::kIgnore:
      return 0;
    case Mode::kWarn:
      return PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "%s encountered in %s", condition.text, operation);
    case Mode::kRaise:
      PyErr_Format(PyExc_FloatingPointError, "%s encountered in %s", condition.text, operation);
      return -1;
    case Mode::kCall:
      return call_back(condition, status, operation);
    case Mode::kPrint:
      std::fprintf(stderr, "Warning: %s encountered in %s\n", condition.text, operation);
      return 0;
    case Mode::kLog:
      return write_log(condition, operation);
  }
  return 0;
}

// warnings.filters, watched by identity, length and first entry: setting a filter inserts one in front.
PyObject* filters_in_force() {
  static PyObject* module = PyImport_ImportModule("warnings");
  static PyObject* name = PyUnicode_InternFromString("filters");
  PyObject* filters = module && name ? PyDict_GetItemWithError(PyModule_GetDict(module), name) : nullptr;
  if (!filters) PyErr_Clear();
  return Py_XNewRef(filters);
}

// Does this filter make errors of RuntimeWarnings, whatever module and line it is limited to?
bool makes_errors(PyObject* filter) {
  if (!PyTuple_Check(filter) || PyTuple_GET_SIZE(filter) < 3) return false;
  PyObject* action = PyTuple_GET_ITEM(filter, 0);
  PyObject* category = PyTuple_GET_ITEM(filter, 2);
  if (!PyUnicode_Check(action) || PyUnicode_CompareWithASCIIString(action, "error") != 0) return false;
  const int matches = PyObject_IsSubclass(PyExc_RuntimeWarning, category);
  if (matches < 0) raise_later();  // a metaclass of the program's
  return matches != 0;
}

}  // namespace

bool deferred_conditions(unsigned* warned) {
  Modes modes;
  *warned = 0;
  if (!modes_in_force(&modes)) {
    raise_later();
    return false;
  }
  for (int i = 0; i < kConditionCount; ++i) {
    if (modes.of[i] == Mode::kWarn) {
      *warned |= kConditions[i].bit;
    } else if (modes.of[i] != Mode::kIgnore) {
      return false;
    }
  }
  return true;
}

bool warnings_are_errors() {
  static PyObject* last_filters = nullptr;
  static PyObject* last_first = nullptr;
  static Py_ssize_t last_size = -1;
  static bool last_answer = false;
  PyObject* filters = filters_in_force();
  if (!filters || !PyList_Check(filters)) {
    Py_XDECREF(filters);
    return false;
  }
  const Py_ssize_t size = PyList_GET_SIZE(filters);
  PyObject* first = size > 0 ? PyList_GET_ITEM(filters, 0) : nullptr;
  if (filters != last_filters || size != last_size || first != last_first) {
    last_answer = false;
    for (Py_ssize_t i = 0; i < size && !last_answer; ++i) last_answer = makes_errors(PyList_GET_ITEM(filters, i));
    Py_XSETREF(last_filters, Py_NewRef(filters));
    Py_XSETREF(last_first, Py_XNewRef(first));
    last_size = size;
  }
  Py_DECREF(filters);
  return last_answer;
}

const char* condition_text(unsigned bit) {
  for (const Condition& condition : kConditions) {
    if (condition.bit == bit) return condition.text;
  }
  return "";
}

int report_floating_point(unsigned status, const char* operation) {
  if (status == 0) return 0;
  Modes modes;
  if (!modes_in_force(&modes)) return -1;
  for (int i = 0; i < kConditionCount; ++i) {
    if ((status & kConditions[i].bit) && report_one(kConditions[i], modes.of[i], status, operation) < 0) return -1;
  }
  return 0;
}

}  // namespace manycore::python
