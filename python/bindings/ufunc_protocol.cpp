// __array_ufunc__ and __array_function__: what NumPy calls when its own functions meet our arrays (in library code, or with a
// real array on the left), and what other types' overrides call.
#include "bindings/fallback.h"
#include "bindings/function_object.h"
#include "bindings/operators.h"
#include "bindings/real_numpy.h"
#include "bindings/ufunc_object.h"

namespace manycore::python {
namespace {

enum class Participant { kPlain, kSubclass, kOverride };

// kOverride: brings its own __array_ufunc__, which comes first (NEP 13). kSubclass: an ndarray subclass that inherits NumPy's.
Participant participant(PyObject* object) {
  if (is_array(object) || is_real_array(object)) return Participant::kPlain;
  PyObject* protocol = _PyType_Lookup(Py_TYPE(object), real_numpy().text_array_ufunc);
  if (protocol == nullptr) return Participant::kPlain;
  if (PyObject_TypeCheck(object, real_numpy().generic)) return Participant::kPlain;
  if (PyObject_TypeCheck(object, real_numpy().ndarray) && protocol == real_numpy().ndarray_ufunc) return Participant::kSubclass;
  return Participant::kOverride;
}

// The strongest kind among a tuple's items, None aside.
Participant strongest(PyObject* tuple, Py_ssize_t first, Participant so_far) {
  for (Py_ssize_t i = first; i < PyTuple_GET_SIZE(tuple); ++i) {
    const Participant kind = participant(PyTuple_GET_ITEM(tuple, i));
    if (kind > so_far) so_far = kind;
  }
  return so_far;
}

// `callable` or its method of that name; a new reference.
PyObject* bound(PyObject* callable, PyObject* method) {
  if (PyUnicode_CompareWithASCIIString(method, "__call__") == 0) return Py_NewRef(callable);
  return PyObject_GetAttr(callable, method);
}

// The arguments after the first `skip` of `args`, with `kwargs`, through call_fallback.
PyObject* through_numpy(PyObject* function, PyObject* args, Py_ssize_t skip, PyObject* kwargs, const char* name,
                        const char* reason) {
  const Py_ssize_t positional = PyTuple_GET_SIZE(args) - skip;
  const Py_ssize_t keywords = kwargs != nullptr ? PyDict_GET_SIZE(kwargs) : 0;
  PyObject* names = keywords > 0 ? PyTuple_New(keywords) : nullptr;
  PyObject** values = PyMem_New(PyObject*, static_cast<size_t>(positional + keywords + 1));
  PyObject* result = nullptr;
  if (values != nullptr && (keywords == 0 || names != nullptr)) {
    for (Py_ssize_t i = 0; i < positional; ++i) values[i] = PyTuple_GET_ITEM(args, skip + i);
    PyObject *key, *value;
    Py_ssize_t position = 0, k = 0;
    while (keywords > 0 && PyDict_Next(kwargs, &position, &key, &value)) {
      PyTuple_SET_ITEM(names, k, Py_NewRef(key));
      values[positional + k++] = value;
    }
    result = call_fallback(function, values, static_cast<size_t>(positional), names, name, reason);
  }
  PyMem_Free(values);
  Py_XDECREF(names);
  return result;
}

bool is_real_ufunc(PyObject* object) { return PyObject_TypeCheck(object, real_numpy().ufunc); }

bool is_known_type(PyObject* type) {
  return type == reinterpret_cast<PyObject*>(&ArrayType) ||
         (PyType_Check(type) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type), real_numpy().ndarray));
}

}  // namespace

PyObject* array_ufunc(PyObject*, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) < 2 || !(is_ufunc(PyTuple_GET_ITEM(args, 0)) || is_real_ufunc(PyTuple_GET_ITEM(args, 0))) ||
      !PyUnicode_Check(PyTuple_GET_ITEM(args, 1))) {
    PyErr_SetString(PyExc_TypeError, "__array_ufunc__: wrong arguments, expected a ufunc and the name of a method first");
    return nullptr;
  }
  Participant kind = strongest(args, 2, Participant::kPlain);
  PyObject* out = kwargs != nullptr ? PyDict_GetItemString(kwargs, "out") : nullptr;
  if (out != nullptr && PyTuple_Check(out)) kind = strongest(out, 0, kind);
  if (kind == Participant::kOverride) Py_RETURN_NOTIMPLEMENTED;
  PyObject* called = PyTuple_GET_ITEM(args, 0);
  auto* ufunc = is_ufunc(called) ? reinterpret_cast<UfuncObject*>(Py_NewRef(called)) : ufunc_for(called);
  if (ufunc == nullptr) return nullptr;
  PyObject* ours = reinterpret_cast<PyObject*>(ufunc);
  const bool is_numpys = kind == Participant::kSubclass;
  PyObject* function = bound(is_numpys ? ufunc->real : ours, PyTuple_GET_ITEM(args, 1));
  PyObject* result = nullptr;
  if (function != nullptr && is_numpys) {
    result = through_numpy(function, args, 2, kwargs, ufunc->qualified_name.c_str(), "operand is a subclass of ndarray");
  } else if (function != nullptr) {
    const auto count = static_cast<size_t>(PyTuple_GET_SIZE(args) - 2);
    result = PyObject_VectorcallDict(function, &PyTuple_GET_ITEM(args, 2), count, kwargs);
  }
  Py_XDECREF(function);
  Py_DECREF(ours);
  return result;
}

PyObject* array_function(PyObject*, PyObject* args, PyObject* kwargs) {
  PyObject *function, *types, *arguments, *keywords;
  static const char* names[] = {"func", "types", "args", "kwargs", nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:__array_function__", const_cast<char**>(names), &function, &types,
                                   &arguments, &keywords)) {
    return nullptr;
  }
  if (!PyTuple_CheckExact(arguments) || !PyDict_CheckExact(keywords)) {
    PyErr_SetString(PyExc_TypeError, PyTuple_CheckExact(arguments) ? "kwargs must be a dict." : "args must be a tuple.");
    return nullptr;
  }
  PyObject* iterator = PyObject_GetIter(types);
  if (iterator == nullptr) return nullptr;
  bool all_known = true, subclass = false;
  while (PyObject* type = PyIter_Next(iterator)) {
    all_known = all_known && is_known_type(type);
    subclass = subclass ||
               (type != reinterpret_cast<PyObject*>(&ArrayType) && type != reinterpret_cast<PyObject*>(real_numpy().ndarray));
    Py_DECREF(type);
  }
  Py_DECREF(iterator);
  if (PyErr_Occurred() != nullptr) return nullptr;
  if (!all_known) Py_RETURN_NOTIMPLEMENTED;
  FunctionObject* ours = function_for(function);
  if (ours == nullptr) return nullptr;
  if (subclass) return through_numpy(function, arguments, 0, keywords, ours->name.c_str(), "operand is a subclass of ndarray");
  return PyObject_VectorcallDict(reinterpret_cast<PyObject*>(ours), &PyTuple_GET_ITEM(arguments, 0),
                                 static_cast<size_t>(PyTuple_GET_SIZE(arguments)), keywords);
}

}  // namespace manycore::python
