#include "bindings/handed_over.h"

#include <algorithm>

#include "bindings/array_object.h"
#include "numpy/ndarraytypes.h"

namespace manycore::python {

PyTypeObject* ndarray_type = nullptr;

namespace {

// A list or dict longer than this is searched only when one of its first items is an array or a container: a list of a million
// numbers must not be walked before a library walks it.
constexpr Py_ssize_t kListSearched = 4096;
constexpr Py_ssize_t kListSample = 32;

bool items_hold_array(PyObject* const* items, Py_ssize_t count, int depth) {
  if (count > kListSearched) count = kListSample;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (holds_array(items[i], depth)) return true;
  }
  return false;
}

bool dict_holds_array(PyObject* dict, int depth) {
  Py_ssize_t position = 0;
  PyObject* value = nullptr;
  Py_ssize_t left = PyDict_GET_SIZE(dict) > kListSearched ? kListSample : kListSearched;
  while (left-- > 0 && PyDict_Next(dict, &position, nullptr, &value)) {
    if (holds_array(value, depth)) return true;
  }
  return false;
}

}  // namespace

bool holds_array(PyObject* object, int depth) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &ArrayType) return true;
  if (!PyType_FastSubclass(type, Py_TPFLAGS_TUPLE_SUBCLASS | Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_DICT_SUBCLASS)) return false;
  if (depth == 0) return false;
  if (type == &PyTuple_Type || type == &PyList_Type) {
    return items_hold_array(PySequence_Fast_ITEMS(object), PySequence_Fast_GET_SIZE(object), depth - 1);
  }
  return type == &PyDict_Type && dict_holds_array(object, depth - 1);
}

HandedOver::~HandedOver() {
  auto drop = [](const Pair& pair) {
    Py_DECREF(pair.ours);
    Py_DECREF(pair.real);
  };
  std::for_each_n(few_.begin(), few_count_, drop);
  std::for_each(more_.begin(), more_.end(), drop);
  for (PyObject* container : containers_) Py_DECREF(container);
}

PyObject* HandedOver::give(PyObject* object, int depth) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &ArrayType) return give_array(object);
  if (depth > 0) {
    if (type == &PyTuple_Type) return give_tuple(object, depth - 1);
    if (type == &PyList_Type && !give_list(object, depth - 1)) return nullptr;
    if (type == &PyDict_Type && !give_dict(object, depth - 1)) return nullptr;
  }
  return Py_NewRef(object);
}

bool HandedOver::take_back() {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  bool ok = true;
  for (PyObject* container : containers_) {
    ok = (PyList_CheckExact(container) ? take_back_list(container) : take_back_dict(container)) && ok;
  }
  if (type != nullptr) {
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
  }
  return ok;
}

// New reference: the array of ours that `real` was handed over for, or a new one over its memory.
PyObject* HandedOver::ours_for(PyObject* real) const {
  if (const Pair* pair = find(&Pair::real, real)) return Py_NewRef(pair->ours);
  PyObject* base = reinterpret_cast<PyArrayObject_fields*>(real)->base;
  if (base != nullptr && is_array(base) && reinterpret_cast<ArrayObject*>(base)->numpy_view == real) return Py_NewRef(base);
  return from_numpy(real);
}

const HandedOver::Pair* HandedOver::find(PyObject* Pair::*member, PyObject* object) const {
  for (size_t i = 0; i < few_count_; ++i) {
    if (few_[i].*member == object) return &few_[i];
  }
  for (const Pair& pair : more_) {
    if (pair.*member == object) return &pair;
  }
  return nullptr;
}

PyObject* HandedOver::give_array(PyObject* ours) {
  if (const Pair* pair = find(&Pair::ours, ours)) return Py_NewRef(pair->real);
  PyObject* real = to_numpy(ours);
  if (real == nullptr) return nullptr;
  const Pair pair{Py_NewRef(ours), Py_NewRef(real)};
  if (few_count_ < few_.size()) {
    few_[few_count_++] = pair;
  } else {
    more_.push_back(pair);
  }
  return real;
}

PyObject* HandedOver::give_tuple(PyObject* tuple, int depth) {
  if (!items_hold_array(PySequence_Fast_ITEMS(tuple), PyTuple_GET_SIZE(tuple), depth)) return Py_NewRef(tuple);
  PyObject* copy = PyTuple_New(PyTuple_GET_SIZE(tuple));
  if (copy == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
    PyObject* item = give(PyTuple_GET_ITEM(tuple, i), depth);
    if (item == nullptr) {
      Py_DECREF(copy);
      return nullptr;
    }
    PyTuple_SET_ITEM(copy, i, item);
  }
  return copy;
}

bool HandedOver::give_list(PyObject* list, int depth) {
  if (!items_hold_array(PySequence_Fast_ITEMS(list), PyList_GET_SIZE(list), depth) || !remember(list)) return true;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject* old = Py_NewRef(PyList_GET_ITEM(list, i));
    PyObject* item = give(old, depth);
    Py_DECREF(old);
    if (item == nullptr || PyList_SetItem(list, i, item) < 0) return false;
  }
  return true;
}

bool HandedOver::give_dict(PyObject* dict, int depth) {
  if (!dict_holds_array(dict, depth) || !remember(dict)) return true;
  Py_ssize_t position = 0;
  PyObject *key, *value;
  // Replacing the value of an existing key leaves the iteration valid.
  while (PyDict_Next(dict, &position, &key, &value)) {
    PyObject* item = give(value, depth);
    if (item == nullptr || (item != value && PyDict_SetItem(dict, key, item) < 0)) {
      Py_XDECREF(item);
      return false;
    }
    Py_DECREF(item);
  }
  return true;
}

// False when the container is already handed over: it stands twice among the arguments or contains itself.
bool HandedOver::remember(PyObject* container) {
  for (PyObject* known : containers_) {
    if (known == container) return false;
  }
  containers_.push_back(Py_NewRef(container));
  return true;
}

bool HandedOver::take_back_list(PyObject* list) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject* item = PyList_GET_ITEM(list, i);
    if (PyTuple_CheckExact(item)) {
      PyObject* tuple = receive_shared_tuple(Py_NewRef(item));
      if (tuple == nullptr || PyList_SetItem(list, i, tuple) < 0) return false;
    } else if (Py_TYPE(item) == ndarray_type) {
      PyObject* ours = ours_for(item);
      if (ours == nullptr || PyList_SetItem(list, i, ours) < 0) return false;
    }
  }
  return true;
}

bool HandedOver::take_back_dict(PyObject* dict) {
  Py_ssize_t position = 0;
  PyObject *key, *value;
  while (PyDict_Next(dict, &position, &key, &value)) {
    PyObject* ours = nullptr;
    if (PyTuple_CheckExact(value)) {
      ours = receive_shared_tuple(Py_NewRef(value));
    } else if (Py_TYPE(value) == ndarray_type) {
      ours = ours_for(value);
    } else {
      continue;
    }
    const bool ok = ours != nullptr && (ours == value || PyDict_SetItem(dict, key, ours) == 0);
    Py_XDECREF(ours);
    if (!ok) return false;
  }
  return true;
}

// Steals `result`, a tuple that others hold too: it cannot change, so the user gets one like it.
PyObject* HandedOver::receive_shared_tuple(PyObject* result) const {
  bool real = false;
  const Py_ssize_t count = PyTuple_GET_SIZE(result);
  for (Py_ssize_t i = 0; i < count; ++i) real |= Py_TYPE(PyTuple_GET_ITEM(result, i)) == ndarray_type;
  if (!real) return result;
  PyObject* copy = PyTuple_New(count);
  for (Py_ssize_t i = 0; copy != nullptr && i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(result, i);
    PyObject* ours = Py_TYPE(item) == ndarray_type ? ours_for(item) : Py_NewRef(item);
    if (ours == nullptr) Py_CLEAR(copy);
    if (copy != nullptr) PyTuple_SET_ITEM(copy, i, ours);
  }
  Py_DECREF(result);
  return copy;
}

// Steals `result`. Containers are changed in place, and only when nobody else holds them: a library may keep what it returned.
PyObject* HandedOver::receive_items(PyObject* result) const {
  if (Py_REFCNT(result) != 1) return PyTuple_CheckExact(result) ? receive_shared_tuple(result) : result;
  const bool is_list = PyList_Check(result);
  PyObject** items = is_list ? PySequence_Fast_ITEMS(result) : &PyTuple_GET_ITEM(result, 0);
  Py_ssize_t count = Py_SIZE(result);
  if (count > kListSearched && Py_TYPE(items[0]) != ndarray_type) return result;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (Py_TYPE(items[i]) != ndarray_type) continue;
    PyObject* ours = ours_for(items[i]);
    if (ours == nullptr) {
      Py_DECREF(result);
      return nullptr;
    }
    Py_SETREF(items[i], ours);
  }
  return result;
}

PyObject* HandedOver::receive_values(PyObject* result) const {
  if (Py_REFCNT(result) != 1) return result;
  Py_ssize_t position = 0;
  PyObject *key, *value;
  const bool is_long = PyDict_GET_SIZE(result) > kListSearched;
  while (PyDict_Next(result, &position, &key, &value)) {
    if (Py_TYPE(value) != ndarray_type) {
      if (is_long) break;  // as for long lists: the first tells
      continue;
    }
    PyObject* ours = ours_for(value);
    const bool ok = ours != nullptr && PyDict_SetItem(result, key, ours) == 0;
    Py_XDECREF(ours);
    if (!ok) {
      Py_DECREF(result);
      return nullptr;
    }
  }
  return result;
}

PyObject* HandedOver::receive(PyObject* result) const {
  PyTypeObject* type = Py_TYPE(result);
  if (type == ndarray_type) {
    PyObject* ours = ours_for(result);
    Py_DECREF(result);
    return ours;
  }
  if (PyType_FastSubclass(type, Py_TPFLAGS_TUPLE_SUBCLASS) || type == &PyList_Type) return receive_items(result);
  // Subclasses too: SciPy's OptimizeResult and scikit-learn's Bunch are dicts of arrays.
  return PyType_FastSubclass(type, Py_TPFLAGS_DICT_SUBCLASS) ? receive_values(result) : result;
}

}  // namespace manycore::python
