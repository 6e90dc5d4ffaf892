// The crossing: a call from a user's module into a library goes through `crossing_call(callee, *args, **kwargs)`, put there
// by manycore/run/transform.py. Arrays of ours among the arguments are handed over as real zero-copy ndarrays, real ones that
// come back become ours. Without arrays it is one pass over the argument types and a tail call. Needs the GIL; keeps no state.
#include "bindings/crossing.h"

#include <cstddef>
#include <vector>

#include "bindings/array_object.h"
#include "bindings/handed_over.h"
#include "bindings/user_frame.h"

namespace manycore::python {
namespace {

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

inline bool may_hold_real(PyTypeObject* type) {
  return type == ndarray_type ||
         PyType_FastSubclass(type, Py_TPFLAGS_TUPLE_SUBCLASS | Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_DICT_SUBCLASS);
}

constexpr Py_ssize_t kFewArguments = 8;  // above, the call allocates

PyObject* call_with_arrays(PyObject* callee, PyObject* const* args, size_t nargsf, Py_ssize_t total, PyObject* kwnames) {
  HandedOver handed;
  PyObject* few[kFewArguments + 1] = {};
  std::vector<PyObject*> many;
  if (total > kFewArguments) many.resize(static_cast<size_t>(total) + 1);
  PyObject** given = total > kFewArguments ? many.data() : few;  // one slot before the arguments is the callee's to use
  Py_ssize_t count = 0;
  PyObject* result = nullptr;
  while (count < total && (given[count + 1] = handed.give(args[count], kCrossingDepth)) != nullptr) ++count;
  if (count == total) result = PyObject_Vectorcall(callee, given + 1, nargsf, kwnames);
  for (Py_ssize_t i = 0; i < count; ++i) Py_DECREF(given[i + 1]);
  if (!handed.take_back()) Py_CLEAR(result);
  return result == nullptr ? nullptr : handed.receive(result);
}

PyObject* call(PyObject* callee, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, size_t offset) {
  const Py_ssize_t total = nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames));
  for (Py_ssize_t i = 0; i < total; ++i) {
    if (holds_array(args[i], kCrossingDepth)) {
      if (takes_ours(callee)) break;
      return call_with_arrays(callee, args, static_cast<size_t>(nargs) | PY_VECTORCALL_ARGUMENTS_OFFSET, total, kwnames);
    }
  }
  PyObject* result = PyObject_Vectorcall(callee, args, static_cast<size_t>(nargs) | offset, kwnames);
  if (result == nullptr || !may_hold_real(Py_TYPE(result))) return result;
  return HandedOver().receive(result);
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
  PyObject_HEAD PyObject* callee;
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
         register_user_import(module) && register_call_at_top(module) && register_machine(module);
}

}  // namespace manycore::python
