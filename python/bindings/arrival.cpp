// Values that reach the user's code from a library without a call of the user's: attributes and items of its objects, what its
// iterators yield, the arguments of callbacks (manycore/run/arrivals.py says where; unpickled.cpp has what pickle makes). Real arrays become ours,
// the same one as long as it lives (exchange.cpp). Needs the GIL; keeps no state.
#include "bindings/array_object.h"
#include "bindings/crossing.h"
#include "bindings/handed_over.h"
#include "bindings/numpy_api.h"

namespace manycore::python {
namespace {

// New reference. Tuples cannot change, so the user gets one like it, if need be; lists and dicts belong to who made them.
PyObject* arrived(PyObject* value, int depth) {
  if (Py_TYPE(value) == ndarray_type) return from_numpy(value);
  if (depth == 0 || !PyTuple_CheckExact(value)) return Py_NewRef(value);
  PyObject* copy = nullptr;  // a list until it is whole
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); ++i) {
    PyObject* item = PyTuple_GET_ITEM(value, i);
    PyObject* ours = arrived(item, depth - 1);
    if (ours != item && copy == nullptr) copy = PySequence_List(value);
    if (ours == nullptr || (ours != item && copy == nullptr)) {
      Py_XDECREF(ours);
      Py_XDECREF(copy);
      return nullptr;
    }
    if (ours == item) {
      Py_DECREF(ours);
    } else {
      PyList_SetItem(copy, i, ours);
    }
  }
  if (copy != nullptr) Py_SETREF(copy, PyList_AsTuple(copy));
  return copy != nullptr || PyErr_Occurred() != nullptr ? copy : Py_NewRef(value);
}

PyObject* arrived_value(PyObject*, PyObject* value) { return arrived(value, 0); }
PyObject* arrived_arguments(PyObject*, PyObject* values) { return arrived(values, 1); }

// What `for` walks over: an iterator of a library's whose items arrive.
struct Arrivals {
  PyObject_HEAD PyObject* items;
};
constexpr int kItemDepth = 2;  // (number, (data, target)) of enumerate()

PyObject* next_arrival(PyObject* self) {
  PyObject* items = reinterpret_cast<Arrivals*>(self)->items;
  PyObject* item = Py_TYPE(items)->tp_iternext(items);
  if (item == nullptr || (Py_TYPE(item) != ndarray_type && !PyTuple_CheckExact(item))) return item;
  PyObject* ours = arrived(item, kItemDepth);
  Py_DECREF(item);
  return ours;
}

void deallocate_arrivals(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_DECREF(reinterpret_cast<Arrivals*>(self)->items);
  PyObject_GC_Del(self);
}

int traverse_arrivals(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<Arrivals*>(self)->items);
  return 0;
}

PyTypeObject ArrivalsType = [] {
  PyTypeObject type = blank_type();
  type.tp_name = "manycore.arrivals";
  type.tp_basicsize = sizeof(Arrivals);
  type.tp_dealloc = deallocate_arrivals;
  type.tp_traverse = traverse_arrivals;
  type.tp_iter = PyObject_SelfIter;
  type.tp_iternext = next_arrival;
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  return type;
}();

// Can its items not be real arrays? Then the loop keeps the interpreter's fast ways of walking over it.
bool holds_no_real(PyObject* iterable) {
  PyTypeObject* type = Py_TYPE(iterable);
  if (type == &PyList_Type || type == &PyTuple_Type) {
    if (PySequence_Fast_GET_SIZE(iterable) == 0) return true;
    PyObject* first = PySequence_Fast_GET_ITEM(iterable, 0);
    return Py_TYPE(first) != ndarray_type && !PyTuple_CheckExact(first);
  }
  // A dict yields its keys. What cannot be walked over must fail as itself, in the loop.
  return type == &ArrayType || type == &PyUnicode_Type || type == &PyBytes_Type || type == &PyRange_Type ||
         type == &PyDict_Type || type == &PySet_Type || (type->tp_iter == nullptr && !PySequence_Check(iterable));
}

PyObject* arrived_items(PyObject*, PyObject* iterable) {
  if (Py_TYPE(iterable) == ndarray_type) return from_numpy(iterable);
  if (holds_no_real(iterable)) return Py_NewRef(iterable);
  PyObject* items = PyObject_GetIter(iterable);
  if (items == nullptr) return nullptr;
  Arrivals* self = PyObject_GC_New(Arrivals, &ArrivalsType);
  if (self == nullptr) {
    Py_DECREF(items);
    return nullptr;
  }
  self->items = items;
  PyObject_GC_Track(self);
  return reinterpret_cast<PyObject*>(self);
}

PyMethodDef methods[] = {
    {"arrived", arrived_value, METH_O, "The value; ours when it is a real array."},
    {"arrived_arguments", arrived_arguments, METH_O, "The tuple, with ours in the place of real arrays."},
    {"arrived_items", arrived_items, METH_O, "What to walk over in place of a library's iterable: its real arrays become ours."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_arrival(PyObject* module) {
  return PyType_Ready(&ArrivalsType) == 0 && PyModule_AddFunctions(module, methods) == 0 && register_unpickled(module);
}

}  // namespace manycore::python
