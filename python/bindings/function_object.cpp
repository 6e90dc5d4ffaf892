#include "bindings/function_object.h"

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bindings/fallback.h"
#include "bindings/numpy_random.h"
#include "bindings/real_numpy.h"
#include "bindings/real_values.h"
#include "bindings/trace.h"

namespace manycore::python {
namespace {

std::unordered_map<PyObject*, FunctionObject*> known_functions;

std::unordered_map<std::string_view, NativeFunction>& native_functions() {
  static std::unordered_map<std::string_view, NativeFunction> table;
  return table;
}

FunctionObject* self_of(PyObject* object) { return reinterpret_cast<FunctionObject*>(object); }

// An error about arguments, which NumPy words better; not one of a function that the caller passed in and that must not run
// twice.
bool is_about_arguments(PyObject* const* args, Py_ssize_t count) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_ValueError) &&
      !PyErr_ExceptionMatches(PyExc_IndexError)) {
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (PyCallable_Check(args[i]) && !PyType_Check(args[i])) return false;
  }
  return true;
}

// Our side raised: NumPy, given the same arguments, raises its own exception.
PyObject* raise_as_numpy(const FunctionObject& function, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf) + (kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0);
  if (!is_about_arguments(args, count)) return nullptr;
  PyErr_Clear();
  return retry_with_numpy(function.real, args, nargsf, kwnames, function.name.c_str(), "raised an error that NumPy does not");
}

// Steals `result`.
PyObject* finished(const FunctionObject& function, PyObject* result) {
  if (result != nullptr && function.finish != nullptr) Py_SETREF(result, PyObject_CallOneArg(function.finish, result));
  return result;
}

// Most programs use few functions that NumPy writes in Python: their implementations are made when first called.
bool has_implementation(FunctionObject* function) {
  if (function->make == nullptr) return function->implementation != nullptr;
  PyObject* make = function->make;
  function->make = nullptr;
  Py_XSETREF(function->implementation, PyObject_CallNoArgs(make));
  Py_DECREF(make);
  return function->implementation != nullptr;
}

// The code of an implementation asks for arrays of ours: real ones become ours. Subclasses, and what has no dtype of ours, are
// NumPy's alone: then null, with `*reason` filled or an exception set.
PyObject* call_over_ours(const FunctionObject& function, PyObject* const* args, size_t nargsf, PyObject* kwnames,
                         const char** reason) {
  const Py_ssize_t positional = PyVectorcall_NARGS(nargsf);
  std::vector<PyObject*> given(args, args + positional + (kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0));
  std::vector<PyObject*> made;
  bool failed = false;
  for (Py_ssize_t i = 0; i < positional && !failed; ++i) {
    if (!PyObject_TypeCheck(args[i], real_numpy().ndarray)) continue;
    PyObject* ours = is_real_array(args[i]) ? from_numpy(args[i]) : nullptr;
    if (ours != nullptr) made.push_back(ours);
    failed = ours == nullptr || !is_array(ours);
    if (!is_real_array(args[i]))
      *reason = "operand is a subclass of ndarray";
    else if (failed && ours != nullptr)
      *reason = "dtype is none of the engine's";
    given[static_cast<size_t>(i)] = ours;
  }
  PyObject* result =
      failed ? nullptr : PyObject_Vectorcall(function.implementation, given.data(), static_cast<size_t>(positional), kwnames);
  for (PyObject* ours : made) Py_DECREF(ours);
  return result;
}

PyObject* call_implementation(const FunctionObject& function, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  bool has_real = false;
  for (Py_ssize_t i = 0; i < PyVectorcall_NARGS(nargsf); ++i) has_real |= PyObject_TypeCheck(args[i], real_numpy().ndarray) != 0;
  const char* reason = nullptr;
  PyObject* result = has_real ? call_over_ours(function, args, nargsf, kwnames, &reason)
                              : PyObject_Vectorcall(function.implementation, args, nargsf, kwnames);
  if (reason != nullptr) return call_fallback(function.real, args, nargsf, kwnames, function.name.c_str(), reason);
  return result != nullptr ? result : raise_as_numpy(function, args, nargsf, kwnames);
}

PyObject* call_function(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  FunctionObject& function = *self_of(self);
  if (function.native != nullptr) {
    FunctionCall call{args, PyVectorcall_NARGS(nargsf), kwnames};
    std::string error;
    PyObject* result = guarded([&]() -> PyObject* {
      try {
        return function.native(call);
      } catch (const UserError& refused) {
        error = refused.what();
        return nullptr;
      }
    });
    if (result != nullptr) return result;
    if (PyErr_Occurred() != nullptr) return raise_as_numpy(function, args, nargsf, kwnames);
    if (!call.refused.empty()) error = std::move(call.refused);
    if (!error.empty()) return retry_with_numpy(function.real, args, nargsf, kwnames, function.name.c_str(), error.c_str());
    if (!has_implementation(&function)) {
      if (PyErr_Occurred() != nullptr) return nullptr;
      return call_fallback(function.real, args, nargsf, kwnames, function.name.c_str(), call.declined);
    }
  }
  if (has_implementation(&function)) return call_implementation(function, args, nargsf, kwnames);
  if (PyErr_Occurred() != nullptr) return nullptr;
  if (!function.is_counted) return finished(function, call_numpy(function.real, args, nargsf, kwnames));
  return call_fallback(function.real, args, nargsf, kwnames, function.name.c_str(), function.reason.c_str());
}

// In a class NumPy's Python functions are methods and its compiled ones are not.
PyObject* bind(PyObject* self, PyObject* instance, PyObject*) {
  const bool is_method = instance != nullptr && instance != Py_None && Py_TYPE(self_of(self)->real)->tp_descr_get != nullptr;
  return is_method ? PyMethod_New(self, instance) : Py_NewRef(self);
}

PyObject* describe(PyObject* self) { return PyObject_Str(self_of(self)->real); }

bool is_implemented(const FunctionObject& function) {
  return function.native != nullptr || function.implementation != nullptr || function.make != nullptr;
}
PyObject* is_native(PyObject* self, void*) { return PyBool_FromLong(is_implemented(*self_of(self))); }

PyMethodDef methods[] = {{"__reduce__", stand_in_reduce, METH_NOARGS, nullptr},
                         {"__copy__", stand_in_copy, METH_NOARGS, nullptr},
                         {"__deepcopy__", stand_in_copy, METH_O, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyGetSetDef attributes[] = {{"__doc__", stand_in_getter<kDocName>, nullptr, nullptr, nullptr},
                            {"__name__", stand_in_getter<kNameName>, nullptr, nullptr, nullptr},
                            {"__qualname__", stand_in_getter<kQualifiedName>, nullptr, nullptr, nullptr},
                            {"__module__", stand_in_getter<kModuleName>, nullptr, nullptr, nullptr},
                            {"__wrapped__", stand_in_real, nullptr, nullptr, nullptr},
                            {"is_native", is_native, nullptr, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

std::string text_attribute(PyObject* object, const char* name, const char* otherwise) {
  PyObject* value = PyObject_GetAttrString(object, name);
  const char* text = value != nullptr && PyUnicode_Check(value) ? PyUnicode_AsUTF8(value) : nullptr;
  std::string result(text != nullptr ? text : otherwise);
  Py_XDECREF(value);
  PyErr_Clear();
  return result;
}

PyObject* module_function_for(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"real", "implementation", "counted", "name", "finish", "make", nullptr};
  PyObject *real = nullptr, *implementation = Py_None, *finish = Py_None, *make = Py_None;
  int counted = -1;
  const char* name = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OpzOO:function_for", const_cast<char**>(names), &real, &implementation,
                                   &counted, &name, &finish, &make)) {
    return nullptr;
  }
  FunctionObject* function = function_for(real);
  if (function != nullptr && name != nullptr) {
    function->name = name;
    function->reason = "no native implementation of " + function->name;
  }
  if (function != nullptr && counted >= 0) function->is_counted = counted != 0;
  if (function != nullptr && implementation != Py_None) Py_XSETREF(function->implementation, Py_NewRef(implementation));
  if (function != nullptr && make != Py_None) Py_XSETREF(function->make, Py_NewRef(make));
  if (function != nullptr && finish != Py_None) Py_XSETREF(function->finish, Py_NewRef(finish));
  return Py_XNewRef(reinterpret_cast<PyObject*>(function));
}

// through_numpy(name, reason, function, *args, **kwargs)
PyObject* module_through_numpy(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  const char* name = nargs >= 3 ? PyUnicode_AsUTF8(args[0]) : nullptr;
  const char* reason = name != nullptr ? PyUnicode_AsUTF8(args[1]) : nullptr;
  if (reason == nullptr) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "through_numpy: expected a name, a reason and a function");
    return nullptr;
  }
  return call_fallback(args[2], args + 3, static_cast<size_t>(nargs - 3), kwnames, name, reason);
}

PyObject* module_to_real(PyObject*, PyObject* object) { return RealValues().to_real(object); }
PyObject* module_from_real(PyObject*, PyObject* object) { return RealValues().from_real(Py_NewRef(object)); }

PyMethodDef module_methods[] = {
    {"through_numpy", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(module_through_numpy)), METH_FASTCALL | METH_KEYWORDS,
     "through_numpy(name, reason, function, *args, **kwargs): a counted fallback."},
    {"to_real", module_to_real, METH_O, "Zero-copy numpy arrays in the place of ours, also inside tuples, lists and dicts."},
    {"from_real", module_from_real, METH_O, "Ours in the place of numpy arrays, also inside tuples, lists and dicts."},
    {"function_for", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(module_function_for)), METH_VARARGS | METH_KEYWORDS,
     "function_for(real, implementation=None, counted=True, name=None, finish=None, make=None): ours for a function of NumPy, "
     "optionally implemented in Python, or by what make() returns when it is first called; finish(result) sees what NumPy "
     "returned when it is not counted."},
    {nullptr, nullptr, 0, nullptr}};

void add_rows(const NativeFunctionRow* row) {
  for (; row->name != nullptr; ++row) native_functions().emplace(row->name, row->function);
}

}  // namespace

PyTypeObject FunctionType{};

FunctionObject* function_for(PyObject* real) {
  auto found = known_functions.find(real);
  if (found != known_functions.end()) return found->second;
  FunctionObject* function = PyObject_New(FunctionObject, &FunctionType);
  if (function == nullptr) return nullptr;
  const std::string short_name = text_attribute(real, "__name__", "function");
  const std::string name = text_attribute(real, "__module__", "numpy") + "." + short_name;
  function->vectorcall = call_function;
  function->real = Py_NewRef(real);
  function->implementation = nullptr;
  function->make = nullptr;
  function->finish = nullptr;
  function->is_counted = true;
  new (&function->name) std::string(name);
  new (&function->reason) std::string("no native implementation of " + name);
  auto native = native_functions().find(name);
  function->native = native != native_functions().end() ? native->second : nullptr;
  known_functions.emplace(real, function);
  return function;
}

FunctionObject* known_function(PyObject* real) {
  auto found = known_functions.find(real);
  return found != known_functions.end() ? found->second : nullptr;
}

FunctionObject* implemented_function(PyObject* real) {
  FunctionObject* function = function_for(real);
  if (function == nullptr) PyErr_Clear();
  return function != nullptr && is_implemented(*function) ? function : nullptr;
}

bool register_functions(PyObject* module) {
  for (const NativeFunctionRow* rows : {kCreationFunctions, kConversionFunctions, kReductionFunctions, kShapeFunctions,
                                        kSelectionFunctions, kProductFunctions, kLinalgFunctions}) {
    add_rows(rows);
  }
  Py_SET_REFCNT(&FunctionType, 1);
  FunctionType.tp_name = "numpy._ArrayFunctionDispatcher";
  FunctionType.tp_basicsize = sizeof(FunctionObject);
  FunctionType.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL;
  FunctionType.tp_vectorcall_offset = offsetof(StandIn, vectorcall);
  FunctionType.tp_call = PyVectorcall_Call;
  FunctionType.tp_getattro = stand_in_attribute;
  FunctionType.tp_descr_get = bind;
  FunctionType.tp_repr = stand_in_repr;
  FunctionType.tp_str = describe;
  FunctionType.tp_methods = methods;
  FunctionType.tp_getset = attributes;
  if (PyType_Ready(&FunctionType) < 0) return false;
  return PyModule_AddObjectRef(module, "function", reinterpret_cast<PyObject*>(&FunctionType)) == 0 &&
         PyModule_AddFunctions(module, module_methods) == 0 && register_random(module);
}

}  // namespace manycore::python
