// The crossing: a call from a user's module into a library goes through `crossing_call(callee, *args, **kwargs)`, put there
// by manycore/run/transform.py. Arrays of ours among the arguments are handed over as real zero-copy ndarrays, real ones that
// come back become ours. Without arrays it is one pass over the argument types and a tail call. Needs the GIL; keeps no state.
#include "bindings/crossing.h"

#include <cstddef>
#include <vector>

#include "bindings/array_object.h"
#include "bindings/user_frame.h"
#include "numpy/ndarraytypes.h"

namespace manycore::python {
namespace {

PyTypeObject* ndarray_type = nullptr;

// A list longer than this is searched only when one of its first items is an array or a container: a list of a million
// numbers must not be walked before a library walks it.
constexpr Py_ssize_t kListSearched = 4096;
constexpr Py_ssize_t kListSample = 32;
constexpr int kDepth = 3;

bool holds_array(PyObject* object, int depth);

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
  while (PyDict_Next(dict, &position, nullptr, &value)) {
    if (holds_array(value, depth)) return true;
  }
  return false;
}

inline bool holds_array(PyObject* object, int depth) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &ArrayType) return true;
  if (!PyType_FastSubclass(type, Py_TPFLAGS_TUPLE_SUBCLASS | Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_DICT_SUBCLASS)) return false;
  if (depth == 0) return false;
  if (type == &PyTuple_Type || type == &PyList_Type) {
    return items_hold_array(PySequence_Fast_ITEMS(object), PySequence_Fast_GET_SIZE(object), depth - 1);
  }
  return type == &PyDict_Type && dict_holds_array(object, depth - 1);
}

class HandedOver;
PyObject* receive_shared_tuple(PyObject* result, const HandedOver& handed);

// What was handed over in one call, and how to undo it. Containers of the user are changed in place and put back, so that a
// library that appends to a user's list appends to that list; tuples cannot change and are rebuilt.
class HandedOver {
 public:
  ~HandedOver() {
    for (auto& pair : arrays_) {
      Py_DECREF(pair.ours);
      Py_DECREF(pair.real);
    }
    for (PyObject* container : containers_) Py_DECREF(container);
  }

  // New reference to what the library receives in place of `object`.
  PyObject* give(PyObject* object, int depth) {
    PyTypeObject* type = Py_TYPE(object);
    if (type == &ArrayType) return give_array(object);
    if (depth > 0) {
      if (type == &PyTuple_Type) return give_tuple(object, depth - 1);
      if (type == &PyList_Type && !give_list(object, depth - 1)) return nullptr;
      if (type == &PyDict_Type && !give_dict(object, depth - 1)) return nullptr;
    }
    return Py_NewRef(object);
  }

  // Puts ours back into the user's containers; real arrays that the library left there become ours. Keeps a pending exception.
  bool take_back() {
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
  PyObject* ours_for(PyObject* real) const {
    for (const auto& pair : arrays_) {
      if (pair.real == real) return Py_NewRef(pair.ours);
    }
    PyObject* base = reinterpret_cast<PyArrayObject_fields*>(real)->base;
    if (base != nullptr && is_array(base) && reinterpret_cast<ArrayObject*>(base)->numpy_view == real) return Py_NewRef(base);
    return from_numpy(real);
  }

 private:
  struct Pair {
    PyObject* ours;
    PyObject* real;
  };

  PyObject* give_array(PyObject* ours) {
    for (const auto& pair : arrays_) {
      if (pair.ours == ours) return Py_NewRef(pair.real);
    }
    PyObject* real = to_numpy(ours);
    if (real == nullptr) return nullptr;
    arrays_.push_back({Py_NewRef(ours), Py_NewRef(real)});
    return real;
  }

  PyObject* give_tuple(PyObject* tuple, int depth) {
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

  bool give_list(PyObject* list, int depth) {
    if (!items_hold_array(PySequence_Fast_ITEMS(list), PyList_GET_SIZE(list), depth) || !remember(list)) return true;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
      PyObject* old = Py_NewRef(PyList_GET_ITEM(list, i));
      PyObject* item = give(old, depth);
      Py_DECREF(old);
      if (item == nullptr || PyList_SetItem(list, i, item) < 0) return false;
    }
    return true;
  }

  bool give_dict(PyObject* dict, int depth) {
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
  bool remember(PyObject* container) {
    for (PyObject* known : containers_) {
      if (known == container) return false;
    }
    containers_.push_back(Py_NewRef(container));
    return true;
  }

  bool take_back_list(PyObject* list) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
      PyObject* item = PyList_GET_ITEM(list, i);
      if (PyTuple_CheckExact(item)) {
        PyObject* tuple = take_back_tuple(item);
        if (tuple == nullptr || PyList_SetItem(list, i, tuple) < 0) return false;
      } else if (Py_TYPE(item) == ndarray_type) {
        PyObject* ours = ours_for(item);
        if (ours == nullptr || PyList_SetItem(list, i, ours) < 0) return false;
      }
    }
    return true;
  }

  bool take_back_dict(PyObject* dict) {
    Py_ssize_t position = 0;
    PyObject *key, *value;
    while (PyDict_Next(dict, &position, &key, &value)) {
      PyObject* ours = nullptr;
      if (PyTuple_CheckExact(value)) {
        ours = take_back_tuple(value);
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

  PyObject* take_back_tuple(PyObject* tuple) { return receive_shared_tuple(Py_NewRef(tuple), *this); }

  std::vector<Pair> arrays_;
  std::vector<PyObject*> containers_;
};

// Does this callee want ours as they are? A method of one of ours or of a plain container, or a function of the user: the
// transform follows values without running them and may have taken it for a library's.
bool takes_ours(PyObject* callee) {
  if (PyCFunction_Check(callee)) {
    PyObject* self = PyCFunction_GET_SELF(callee);
    if (self == nullptr || PyModule_Check(self)) return false;
    PyTypeObject* type = Py_TYPE(self);
    return type == &ArrayType || type == &PyList_Type || type == &PyDict_Type || type == &PySet_Type || type == &PyTuple_Type;
  }
  PyObject* function = PyMethod_Check(callee) ? PyMethod_GET_FUNCTION(callee) : callee;
  if (PyType_Check(callee)) {
    // Borrowed from the type's dictionary: a class of the user has its own __init__ there.
    PyObject* dict = reinterpret_cast<PyTypeObject*>(callee)->tp_dict;
    function = dict == nullptr ? nullptr : PyDict_GetItemString(dict, "__init__");
  }
  return function != nullptr && PyFunction_Check(function) && is_user_function(function);
}

// Steals `result`, a tuple that others hold too: it cannot change, so the user gets one like it.
PyObject* receive_shared_tuple(PyObject* result, const HandedOver& handed) {
  bool real = false;
  const Py_ssize_t count = PyTuple_GET_SIZE(result);
  for (Py_ssize_t i = 0; i < count; ++i) real |= Py_TYPE(PyTuple_GET_ITEM(result, i)) == ndarray_type;
  if (!real) return result;
  PyObject* copy = PyTuple_New(count);
  for (Py_ssize_t i = 0; copy != nullptr && i < count; ++i) {
    PyObject* item = PyTuple_GET_ITEM(result, i);
    PyObject* ours = Py_TYPE(item) == ndarray_type ? handed.ours_for(item) : Py_NewRef(item);
    if (ours == nullptr) Py_CLEAR(copy);
    if (copy != nullptr) PyTuple_SET_ITEM(copy, i, ours);
  }
  Py_DECREF(result);
  return copy;
}

// Steals `result`. Containers are changed in place, and only when nobody else holds them: a library may keep what it returned.
PyObject* receive_items(PyObject* result, const HandedOver& handed) {
  if (Py_REFCNT(result) != 1) return PyTuple_CheckExact(result) ? receive_shared_tuple(result, handed) : result;
  const bool is_list = PyList_Check(result);
  PyObject** items = is_list ? PySequence_Fast_ITEMS(result) : &PyTuple_GET_ITEM(result, 0);
  Py_ssize_t count = Py_SIZE(result);
  if (count > kListSearched && Py_TYPE(items[0]) != ndarray_type) return result;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (Py_TYPE(items[i]) != ndarray_type) continue;
    PyObject* ours = handed.ours_for(items[i]);
    if (ours == nullptr) {
      Py_DECREF(result);
      return nullptr;
    }
    Py_SETREF(items[i], ours);
  }
  return result;
}

PyObject* receive_values(PyObject* result, const HandedOver& handed) {
  if (Py_REFCNT(result) != 1) return result;
  Py_ssize_t position = 0;
  PyObject *key, *value;
  while (PyDict_Next(result, &position, &key, &value)) {
    if (Py_TYPE(value) != ndarray_type) continue;
    PyObject* ours = handed.ours_for(value);
    const bool ok = ours != nullptr && PyDict_SetItem(result, key, ours) == 0;
    Py_XDECREF(ours);
    if (!ok) {
      Py_DECREF(result);
      return nullptr;
    }
  }
  return result;
}

PyObject* receive(PyObject* result, const HandedOver& handed) {
  PyTypeObject* type = Py_TYPE(result);
  if (type == ndarray_type) {
    PyObject* ours = handed.ours_for(result);
    Py_DECREF(result);
    return ours;
  }
  if (PyType_FastSubclass(type, Py_TPFLAGS_TUPLE_SUBCLASS) || type == &PyList_Type) return receive_items(result, handed);
  // Subclasses too: SciPy's OptimizeResult and scikit-learn's Bunch are dicts of arrays.
  return PyType_FastSubclass(type, Py_TPFLAGS_DICT_SUBCLASS) ? receive_values(result, handed) : result;
}

inline bool may_hold_real(PyTypeObject* type) {
  return type == ndarray_type ||
         PyType_FastSubclass(type, Py_TPFLAGS_TUPLE_SUBCLASS | Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_DICT_SUBCLASS);
}

PyObject* call_with_arrays(PyObject* callee, PyObject* const* args, size_t nargsf, Py_ssize_t total, PyObject* kwnames) {
  HandedOver handed;
  std::vector<PyObject*> given(static_cast<size_t>(total) + 1, nullptr);
  Py_ssize_t count = 0;
  PyObject* result = nullptr;
  while (count < total && (given[count + 1] = handed.give(args[count], kDepth)) != nullptr) ++count;
  if (count == total) result = PyObject_Vectorcall(callee, given.data() + 1, nargsf, kwnames);
  for (Py_ssize_t i = 0; i < count; ++i) Py_DECREF(given[i + 1]);
  if (!handed.take_back()) Py_CLEAR(result);
  return result == nullptr ? nullptr : receive(result, handed);
}

PyObject* call(PyObject* callee, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, size_t offset) {
  const Py_ssize_t total = nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames));
  for (Py_ssize_t i = 0; i < total; ++i) {
    if (holds_array(args[i], kDepth)) {
      if (takes_ours(callee)) break;
      return call_with_arrays(callee, args, static_cast<size_t>(nargs) | PY_VECTORCALL_ARGUMENTS_OFFSET, total, kwnames);
    }
  }
  PyObject* result = PyObject_Vectorcall(callee, args, static_cast<size_t>(nargs) | offset, kwnames);
  if (result == nullptr || !may_hold_real(Py_TYPE(result))) return result;
  return receive(result, HandedOver());
}

PyObject* crossing_call(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (nargs == 0) {
    PyErr_SetString(PyExc_TypeError, "crossing_call: no callee, expected crossing_call(callee, *args, **kwargs)");
    return nullptr;
  }
  // The slot before the arguments holds the callee; a bound method may borrow it for its self and puts it back.
  return call(args[0], args + 1, nargs - 1, kwnames, PY_VECTORCALL_ARGUMENTS_OFFSET);
}

// f(*args, **kwargs): the interpreter words its errors after the callee, so the callee itself is wrapped instead.
struct Crossing {
  PyObject_HEAD
  PyObject* callee;
  vectorcallfunc vectorcall;
};

PyObject* crossing_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return call(reinterpret_cast<Crossing*>(self)->callee, args, PyVectorcall_NARGS(nargsf), kwnames,
              nargsf & PY_VECTORCALL_ARGUMENTS_OFFSET);
}

void crossing_dealloc(PyObject* self) {
  Py_DECREF(reinterpret_cast<Crossing*>(self)->callee);
  Py_TYPE(self)->tp_free(self);
}

PyObject* crossing_getattro(PyObject* self, PyObject* name) {
  return PyObject_GetAttr(reinterpret_cast<Crossing*>(self)->callee, name);
}

PyObject* crossing_str(PyObject* self) { return PyObject_Str(reinterpret_cast<Crossing*>(self)->callee); }

PyTypeObject CrossingType = [] {
  PyTypeObject type = {PyVarObject_HEAD_INIT(nullptr, 0)};
  type.tp_name = "manycore.crossing";
  type.tp_basicsize = sizeof(Crossing);
  type.tp_dealloc = crossing_dealloc;
  type.tp_vectorcall_offset = offsetof(Crossing, vectorcall);
  type.tp_call = PyVectorcall_Call;
  type.tp_getattro = crossing_getattro;
  type.tp_str = crossing_str;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL;
  return type;
}();

PyObject* crossing_callee(PyObject*, PyObject* callee) {
  // What cannot be called must fail as itself, with its own type in the message.
  if (!PyCallable_Check(callee)) return Py_NewRef(callee);
  Crossing* self = PyObject_New(Crossing, &CrossingType);
  if (self == nullptr) return nullptr;
  self->callee = Py_NewRef(callee);
  self->vectorcall = crossing_vectorcall;
  return reinterpret_cast<PyObject*>(self);
}

PyMethodDef methods[] = {
    {"crossing_call", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(crossing_call)), METH_FASTCALL | METH_KEYWORDS,
     "Call a library's function with real arrays in place of ours; real arrays that come back become ours."},
    {"crossing_callee", crossing_callee, METH_O, "The callee, wrapped so that a call of it crosses as crossing_call does."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_crossing(PyObject* module) {
  PyObject* numpy = PyImport_ImportModule("numpy");
  if (numpy == nullptr) return false;
  PyObject* type = PyObject_GetAttrString(numpy, "ndarray");
  Py_DECREF(numpy);
  if (type == nullptr) return false;
  ndarray_type = reinterpret_cast<PyTypeObject*>(type);  // kept for the life of the process
  return PyType_Ready(&CrossingType) == 0 && PyModule_AddFunctions(module, methods) == 0 && register_user_frame(module) &&
         register_machine(module);
}

}  // namespace manycore::python
