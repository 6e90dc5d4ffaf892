// The helpers that rewritten code calls, as long as there are no arrays: they pass everything on. Code that took one of them up before
// the arrays' extension came still has it in its hands, so each hands over to that extension's own from then on. Needs the GIL.
#include <array>

#include "bindings/front/front.h"

namespace manycore::python {
namespace {

enum Helper : size_t { kCall, kCallee, kReal, kArrived, kArguments, kItems, kUnpickled, kOurs, kHelpers };

std::array<PyObject*, kHelpers> of_arrays{};  // all null, or none

// What the library answers may be the first real array that there is.
PyObject* plain_call(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (of_arrays[kCall] != nullptr) return PyObject_Vectorcall(of_arrays[kCall], args, static_cast<size_t>(nargs), kwnames);
  if (nargs < 1) {
    PyErr_SetString(PyExc_TypeError, "plain_call: no callee, expected plain_call(callee, *args, **kwargs)");
    return nullptr;
  }
  const size_t flagged = static_cast<size_t>(nargs - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET;
  PyObject* result = PyObject_Vectorcall(args[0], args + 1, flagged, kwnames);
  if (result == nullptr || of_arrays[kArrived] == nullptr) return result;
  PyObject* ours = PyObject_CallOneArg(of_arrays[kArrived], result);
  Py_DECREF(result);
  return ours;
}

template <Helper helper>
PyObject* plain_value(PyObject*, PyObject* value) {
  return of_arrays[helper] != nullptr ? PyObject_CallOneArg(of_arrays[helper], value) : Py_NewRef(value);
}

PyObject* hand_over(PyObject*, PyObject* args) {
  std::array<PyObject*, kHelpers> now{};
  if (!PyArg_ParseTuple(args, "OOOOOOOO:hand_over", &now[kCall], &now[kCallee], &now[kReal], &now[kArrived], &now[kArguments],
                        &now[kItems], &now[kUnpickled], &now[kOurs])) {
    return nullptr;
  }
  for (size_t i = 0; i < kHelpers; ++i) Py_XSETREF(of_arrays[i], Py_NewRef(now[i]));
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"plain_call", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(plain_call)), METH_FASTCALL | METH_KEYWORDS,
     "plain_call(callee, *args, **kwargs): call it."},
    {"plain_callee", plain_value<kCallee>, METH_O, "The callee."},
    {"plain_real", plain_value<kReal>, METH_O, "The value."},
    {"plain_arrived", plain_value<kArrived>, METH_O, "The value."},
    {"plain_arguments", plain_value<kArguments>, METH_O, "The tuple."},
    {"plain_items", plain_value<kItems>, METH_O, "The iterable."},
    {"plain_unpickled", plain_value<kUnpickled>, METH_O, "The value."},
    {"plain_ours", plain_value<kOurs>, METH_O, "The function."},
    {"hand_over", hand_over, METH_VARARGS,
     "hand_over(call, callee, real, arrived, arguments, items, unpickled, ours): what stands for these from now on."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_helpers(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
