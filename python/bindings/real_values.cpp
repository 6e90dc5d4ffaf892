#include "bindings/real_values.h"

#include "bindings/array_object.h"
#include "bindings/function_object.h"
#include "bindings/real_iterator.h"
#include "bindings/real_numpy.h"
#include "bindings/ufunc_object.h"

namespace manycore::python {
namespace {

// Containers nested deeper are passed as they are: NumPy's own nesting limit for arrays is 64, real programs use one or two.
constexpr int kMaxDepth = 6;

}  // namespace

RealValues::~RealValues() {
  for (auto& [real, ours] : arrays_) {
    Py_DECREF(real);
    Py_DECREF(ours);
  }
}

PyObject* RealValues::to_real(PyObject* object, int depth) {
  if (is_array(object)) {
    PyObject* real = to_numpy(object);
    if (real == nullptr) return nullptr;
    arrays_.emplace_back(Py_NewRef(real), Py_NewRef(object));
    bytes_ += array_of(object).nbytes();
    crossed_ = true;
    return real;
  }
  if (is_ufunc(object)) return Py_NewRef(reinterpret_cast<UfuncObject*>(object)->real);
  if (is_function(object)) return Py_NewRef(reinterpret_cast<FunctionObject*>(object)->real);
  if (object == reinterpret_cast<PyObject*>(&ArrayType)) {
    return Py_NewRef(reinterpret_cast<PyObject*>(real_numpy().ndarray));
  }
  if (PyObject* iterator = real_iterator_of(object)) return Py_NewRef(iterator);
  if (depth < kMaxDepth) {
    if (PyTuple_Check(object)) return real_tuple(object, depth);
    if (PyList_CheckExact(object)) return real_list(object, depth);
    if (PyDict_CheckExact(object)) return real_dict(object, depth);
  }
  return Py_NewRef(object);
}

PyObject* RealValues::real_tuple(PyObject* tuple, int depth) {
  PyObject* copy = nullptr;
  const Py_ssize_t size = PyTuple_GET_SIZE(tuple);
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    PyObject* real = to_real(item, depth + 1);
    if (real == nullptr) {
      Py_XDECREF(copy);
      return nullptr;
    }
    if (real != item && copy == nullptr) {
      copy = PyTuple_New(size);
      if (copy == nullptr) {
        Py_DECREF(real);
        return nullptr;
      }
      for (Py_ssize_t k = 0; k < i; ++k) PyTuple_SET_ITEM(copy, k, Py_NewRef(PyTuple_GET_ITEM(tuple, k)));
    }
    if (copy != nullptr) {
      PyTuple_SET_ITEM(copy, i, real);
    } else {
      Py_DECREF(real);
    }
  }
  return copy != nullptr ? copy : Py_NewRef(tuple);
}

PyObject* RealValues::real_list(PyObject* list, int depth) {
  PyObject* copy = nullptr;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject* item = PyList_GET_ITEM(list, i);
    if (PyFloat_CheckExact(item) || PyLong_CheckExact(item)) continue;  // long lists of numbers are the common case
    PyObject* real = to_real(item, depth + 1);
    if (real != nullptr && real != item && copy == nullptr) copy = PyList_GetSlice(list, 0, PyList_GET_SIZE(list));
    if (real == nullptr || (real != item && copy == nullptr)) {
      Py_XDECREF(real);
      Py_XDECREF(copy);
      return nullptr;
    }
    if (real != item) {
      PyList_SetItem(copy, i, real);
    } else {
      Py_DECREF(real);
    }
  }
  return copy != nullptr ? copy : Py_NewRef(list);
}

PyObject* RealValues::real_dict(PyObject* dict, int depth) {
  PyObject *key, *item, *copy = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(dict, &position, &key, &item)) {
    PyObject* real = to_real(item, depth + 1);
    if (real != nullptr && real != item) {
      if (copy == nullptr) copy = PyDict_Copy(dict);
      if (copy == nullptr || PyDict_SetItem(copy, key, real) < 0) Py_CLEAR(real);
    }
    if (real == nullptr) {
      Py_XDECREF(copy);
      return nullptr;
    }
    Py_DECREF(real);
  }
  return copy != nullptr ? copy : Py_NewRef(dict);
}

PyObject* RealValues::wrapped_array(PyObject* real) {
  for (auto& [known, ours] : arrays_) {
    if (known == real) {
      Py_DECREF(real);
      return Py_NewRef(ours);
    }
  }
  PyObject* ours = from_numpy(real);
  Py_DECREF(real);
  if (ours != nullptr) {
    crossed_ = true;
    if (is_array(ours)) bytes_ += array_of(ours).nbytes();
  }
  return ours;
}

PyObject* RealValues::from_real(PyObject* object, int depth) {
  if (object == nullptr) return nullptr;
  if (is_real_array(object)) return wrapped_array(object);
  if (depth >= kMaxDepth) return object;
  if (PyTuple_Check(object)) return wrapped_tuple(object, depth);
  if (PyList_CheckExact(object)) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(object); ++i) {
      PyObject* item = PyList_GET_ITEM(object, i);
      if (!is_real_array(item) && !PyTuple_Check(item) && !PyList_CheckExact(item)) continue;
      PyObject* ours = from_real(Py_NewRef(item), depth + 1);
      if (ours == nullptr || PyList_SetItem(object, i, ours) < 0) {
        Py_DECREF(object);
        return nullptr;
      }
    }
  } else if (PyDict_CheckExact(object)) {
    PyObject *key, *item;
    Py_ssize_t position = 0;
    while (PyDict_Next(object, &position, &key, &item)) {
      if (!is_real_array(item)) continue;
      PyObject* ours = wrapped_array(Py_NewRef(item));
      // Replacing the value of an existing key is allowed while iterating.
      const int stored = ours != nullptr ? PyDict_SetItem(object, key, ours) : -1;
      Py_XDECREF(ours);
      if (stored < 0) {
        Py_DECREF(object);
        return nullptr;
      }
    }
  }
  return object;
}

PyObject* RealValues::wrapped_tuple(PyObject* tuple, int depth) {
  const Py_ssize_t size = PyTuple_GET_SIZE(tuple);
  bool any = false;
  for (Py_ssize_t i = 0; i < size && !any; ++i) {
    PyObject* item = PyTuple_GET_ITEM(tuple, i);
    any = is_real_array(item) || PyTuple_Check(item) || PyList_CheckExact(item);
  }
  if (!any) return tuple;
  PyObject* copy = PyTuple_New(size);
  for (Py_ssize_t i = 0; copy != nullptr && i < size; ++i) {
    PyObject* ours = from_real(Py_NewRef(PyTuple_GET_ITEM(tuple, i)), depth + 1);
    if (ours == nullptr) {
      Py_CLEAR(copy);
    } else {
      PyTuple_SET_ITEM(copy, i, ours);
    }
  }
  if (copy != nullptr && !PyTuple_CheckExact(tuple)) {
    // A named tuple (numpy.linalg's results): rebuilt as its own type; another subclass stays as it was.
    PyObject* make = PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(tuple)), "_make");
    if (make == nullptr) {
      PyErr_Clear();
      Py_DECREF(copy);
      return tuple;
    }
    Py_SETREF(copy, PyObject_CallOneArg(make, copy));
    Py_DECREF(make);
  }
  Py_DECREF(tuple);
  return copy;
}

}  // namespace manycore::python
