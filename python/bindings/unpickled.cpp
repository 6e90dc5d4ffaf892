// What pickle made for the user: `pickle.loads(text)` in a user's module becomes `unpickled(pickle.loads(text))`. Containers and
// instances of the user's classes are new and nobody else's, so real arrays in them, however deep, become ours, and so do
// NumPy's functions. Objects of libraries stay as they are. Needs the GIL; keeps no state.
#include <unordered_set>
#include <vector>

#include "bindings/array_object.h"
#include "bindings/crossing.h"
#include "bindings/function_object.h"
#include "bindings/handed_over.h"
#include "bindings/real_numpy.h"
#include "bindings/ufunc_object.h"

namespace manycore::python {
namespace {

PyObject* is_user_class = nullptr;  // Python: class -> is it the user's?

// Longer lists are walked through only when one of the first items is more than a number or a text.
constexpr Py_ssize_t kLong = 4096, kSample = 32;

bool is_plain(PyObject* value) {
  PyTypeObject* type = Py_TYPE(value);
  return type == &PyFloat_Type || type == &PyLong_Type || type == &PyUnicode_Type || type == &PyBytes_Type ||
         type == &PyBool_Type || value == Py_None;
}

bool is_long_and_plain(PyObject* list) {
  if (PyList_GET_SIZE(list) <= kLong) return false;
  for (Py_ssize_t i = 0; i < kSample; ++i) {
    if (!is_plain(PyList_GET_ITEM(list, i))) return false;
  }
  return true;
}

class Walk {
 public:
  ~Walk() {
    for (PyObject* object : left_) Py_DECREF(object);
  }

  // New reference: ours in the place of `value`, or `value` itself, whose contents are visited later.
  PyObject* replace(PyObject* value) {
    if (is_plain(value)) return Py_NewRef(value);
    if (Py_TYPE(value) == ndarray_type) return from_numpy(value);
    if (value == reinterpret_cast<PyObject*>(ndarray_type)) return Py_NewRef(reinterpret_cast<PyObject*>(&ArrayType));
    if (PyObject_TypeCheck(value, real_numpy().ufunc)) return reinterpret_cast<PyObject*>(ufunc_for(value));
    if (FunctionObject* function = known_function(value)) return Py_NewRef(reinterpret_cast<PyObject*>(function));
    if (PyTuple_CheckExact(value)) return replaced_tuple(value);
    if (seen_.insert(value).second) left_.push_back(Py_NewRef(value));
    return Py_NewRef(value);
  }

  bool finish() {
    while (!left_.empty()) {
      PyObject* object = left_.back();
      left_.pop_back();
      const bool ok = visit(object);
      kept_.push_back(object);  // an address must not be used again while it counts as seen
      if (!ok) return false;
    }
    return true;
  }

 private:
  struct References : std::vector<PyObject*> {
    ~References() {
      for (PyObject* object : *this) Py_DECREF(object);
    }
  };

  PyObject* replaced_tuple(PyObject* tuple) {
    PyObject* list = PySequence_List(tuple);
    bool changed = false;
    for (Py_ssize_t i = 0; list != nullptr && i < PyTuple_GET_SIZE(tuple); ++i) {
      PyObject* ours = replace(PyTuple_GET_ITEM(tuple, i));
      changed |= ours != PyTuple_GET_ITEM(tuple, i);
      if (ours == nullptr || PyList_SetItem(list, i, ours) < 0) Py_CLEAR(list);
    }
    PyObject* result = list == nullptr ? nullptr : changed ? PyList_AsTuple(list) : Py_NewRef(tuple);
    Py_XDECREF(list);
    return result;
  }

  bool visit(PyObject* object) {
    if (PyList_Check(object)) return visit_list(object) && visit_instance(object);
    if (PyDict_Check(object)) return visit_dict(object) && visit_instance(object);
    return visit_instance(object);
  }

  bool visit_list(PyObject* list) {
    if (is_long_and_plain(list)) return true;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
      PyObject* ours = replace(PyList_GET_ITEM(list, i));
      if (ours == nullptr || PyList_SetItem(list, i, ours) < 0) return false;
    }
    return true;
  }

  bool visit_dict(PyObject* dict) {
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &value)) {
      PyObject* ours = replace(value);
      // Replacing the value of an existing key is allowed while iterating.
      const bool ok = ours != nullptr && (ours == value || PyDict_SetItem(dict, key, ours) == 0);
      Py_XDECREF(ours);
      if (!ok) return false;
    }
    return true;
  }

  bool visit_instance(PyObject* object) {
    PyTypeObject* type = Py_TYPE(object);
    if (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) return true;
    PyObject* answer = PyObject_CallOneArg(is_user_class, reinterpret_cast<PyObject*>(type));
    const bool is_user = answer == Py_True;
    Py_XDECREF(answer);
    if (!is_user) return answer != nullptr;
    PyObject* dict = PyObject_GenericGetDict(object, nullptr);
    if (dict == nullptr) PyErr_Clear();
    const bool ok = dict == nullptr || visit_dict(dict);
    Py_XDECREF(dict);
    return ok && visit_slots(object, type);
  }

  // __slots__, of the class and of its bases.
  bool visit_slots(PyObject* object, PyTypeObject* type) {
    for (; type != nullptr && PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE); type = type->tp_base) {
      PyObject *name, *member;
      Py_ssize_t position = 0;
      while (PyDict_Next(type->tp_dict, &position, &name, &member)) {
        if (Py_TYPE(member) != &PyMemberDescr_Type) continue;
        PyObject* value = Py_TYPE(member)->tp_descr_get(member, object, reinterpret_cast<PyObject*>(type));
        if (value == nullptr) {
          PyErr_Clear();  // an empty slot
          continue;
        }
        PyObject* ours = replace(value);
        const bool ok = ours != nullptr && (ours == value || Py_TYPE(member)->tp_descr_set(member, object, ours) == 0);
        Py_XDECREF(ours);
        Py_DECREF(value);
        if (!ok) return false;
      }
    }
    return true;
  }

  std::unordered_set<PyObject*> seen_;
  std::vector<PyObject*> left_;
  References kept_;
};

PyObject* unpickled(PyObject*, PyObject* value) {
  Walk walk;
  PyObject* ours = walk.replace(value);
  if (ours != nullptr && !walk.finish()) Py_CLEAR(ours);
  return ours;
}

PyObject* set_user_class_rule(PyObject*, PyObject* rule) {
  Py_XSETREF(is_user_class, Py_NewRef(rule));
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"unpickled", unpickled, METH_O, "What pickle made, with ours in the place of real arrays and of NumPy's functions."},
    {"set_user_class_rule", set_user_class_rule, METH_O, "rule(class) says whether a class is the user's."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_unpickled(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
