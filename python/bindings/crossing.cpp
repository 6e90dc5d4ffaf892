// The crossing: a call from a user's module into a library goes through `crossing_call(callee, *args, **kwargs)`, put there
// by manycore/run/transform.py. Arrays of ours among the arguments are handed over as real zero-copy ndarrays, real ones that
// come back become ours. Without arrays it is one pass over the argument types and a tail call. Needs the GIL; keeps no state.
#include "bindings/crossing.h"

#include <cstddef>
#include <cstring>
#include <vector>

#include "bindings/array_object.h"
#include "bindings/function_object.h"
#include "bindings/handed_over.h"
#include "bindings/numpy_memory.h"
#include "bindings/real_iterator.h"
#include "bindings/trace.h"
#include "bindings/ufunc_object.h"
#include "bindings/user_frame.h"

namespace manycore::python {
namespace {

// Does this callee want ours as they are? A method of one of ours or of a plain container, a function of manycore.numpy or of
// the user: the transform follows values without running them and may have taken it for a library's.
bool takes_ours(PyObject* callee) {
  if (is_function(callee) || is_ufunc(callee)) return true;
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

// A method of a real array, taken from a library's object (`frame.values.sum`): the same method of ours over its memory, new
// reference; null without an exception when there is none. What would not reach the real array itself stays with it.
PyObject* method_of_ours(PyObject* callee) {
  PyObject* self = PyCFunction_GET_SELF(callee);
  if (self == nullptr || Py_TYPE(self) != ndarray_type) return nullptr;
  const char* name = reinterpret_cast<PyCFunctionObject*>(callee)->m_ml->ml_name;
  if (std::strncmp(name, "__", 2) == 0 || std::strcmp(name, "resize") == 0 || std::strcmp(name, "setflags") == 0) return nullptr;
  PyObject* ours = from_numpy(self);
  PyObject* method = ours != nullptr && is_array(ours) ? PyObject_GetAttrString(ours, name) : nullptr;
  Py_XDECREF(ours);
  if (method == nullptr) PyErr_Clear();
  return method;
}

PyObject* module_of(PyTypeObject* type) {
  if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) return Py_XNewRef(PyDict_GetItemString(type->tp_dict, "__module__"));
  return PyUnicode_FromString(type->tp_name);
}

// A method of an object of NumPy's own (a polynomial, a masked array), which is no library's: its work counts as a fallback.
bool is_of_numpy(PyObject* callee) {
  PyObject* self = PyMethod_Check(callee)      ? PyMethod_GET_SELF(callee)
                   : PyCFunction_Check(callee) ? PyCFunction_GET_SELF(callee)
                                               : callee;
  if (self == nullptr || PyModule_Check(self) || PyType_Check(self) || PyFunction_Check(self)) return false;
  if (is_array(self) || is_function(self) || is_ufunc(self)) return false;
  PyObject* module = module_of(Py_TYPE(self));
  const char* name = module != nullptr && PyUnicode_Check(module) ? PyUnicode_AsUTF8(module) : nullptr;
  const bool answer = name != nullptr && std::strncmp(name, "numpy", 5) == 0 && (name[5] == '.' || name[5] == '\0');
  Py_XDECREF(module);
  PyErr_Clear();
  return answer;
}

int64_t bytes_of(PyObject* value) { return is_array(value) ? array_of(value).nbytes() : 0; }

// Steals `result`.
PyObject* counted(PyObject* callee, PyObject* const* args, Py_ssize_t total, PyObject* result) {
  if (result == nullptr || !is_of_numpy(callee)) return result;
  int64_t bytes = bytes_of(result);
  for (Py_ssize_t i = 0; i < total; ++i) bytes += bytes_of(args[i]);
  if (record_fallback("numpy", "a method of an object of NumPy's own", bytes) < 0) Py_CLEAR(result);
  return result;
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
  if (result == nullptr) explain_memory_error();
  for (Py_ssize_t i = 0; i < count; ++i) Py_DECREF(given[i + 1]);
  if (!handed.take_back()) Py_CLEAR(result);
  return result == nullptr ? nullptr : handed.receive(result);
}

PyObject* call(PyObject* callee, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, size_t offset) {
  const Py_ssize_t total = nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames));
  if (PyCFunction_CheckExact(callee)) {
    if (PyObject* method = method_of_ours(callee)) {
      PyObject* result = PyObject_Vectorcall(method, args, static_cast<size_t>(nargs) | offset, kwnames);
      Py_DECREF(method);
      return result;
    }
  }
  for (Py_ssize_t i = 0; i < total; ++i) {
    if (holds_array(args[i], kCrossingDepth)) {
      if (takes_ours(callee)) break;
      const size_t flagged = static_cast<size_t>(nargs) | PY_VECTORCALL_ARGUMENTS_OFFSET;
      return counted(callee, args, total, call_with_arrays(callee, args, flagged, total, kwnames));
    }
  }
  PyObject* result = PyObject_Vectorcall(callee, args, static_cast<size_t>(nargs) | offset, kwnames);
  if (result == nullptr) explain_memory_error();
  if (result == nullptr || !may_hold_real(Py_TYPE(result))) return result;
  result = HandedOver().receive(result);
  return result != nullptr && is_array(result) ? counted(callee, args, total, result) : result;
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

PyObject* wrap_callee(PyObject*, PyObject* callee) { return crossing_callee(callee); }

PyMethodDef methods[] = {
    {"crossing_call", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(crossing_call)), METH_FASTCALL | METH_KEYWORDS,
     "Call a library's function with real arrays in place of ours; real arrays that come back become ours."},
    {"crossing_callee", wrap_callee, METH_O, "The callee, wrapped so that a call of it crosses as crossing_call does."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* crossing_callee(PyObject* callee) {
  // What cannot be called must fail as itself, with its own type in the message.
  if (!PyCallable_Check(callee)) return Py_NewRef(callee);
  Crossing* self = PyObject_New(Crossing, &CrossingType);
  if (self == nullptr) return nullptr;
  self->callee = Py_NewRef(callee);
  self->vectorcall = crossing_vectorcall;
  return reinterpret_cast<PyObject*>(self);
}

bool register_crossing(PyObject* module) {
  PyObject* numpy = PyImport_ImportModule("numpy");
  if (numpy == nullptr) return false;
  PyObject* type = PyObject_GetAttrString(numpy, "ndarray");
  Py_DECREF(numpy);
  if (type == nullptr) return false;
  ndarray_type = reinterpret_cast<PyTypeObject*>(type);  // kept for the life of the process
  return PyType_Ready(&CrossingType) == 0 && PyModule_AddFunctions(module, methods) == 0 && register_user_frame(module) &&
         register_arrival(module) && register_build_class(module) && register_real_iterator(module) &&
         register_module_attribute(module) && register_machine(module);
}

}  // namespace manycore::python
