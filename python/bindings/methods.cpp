// The table of methods. Besides native ones: `function` is numpy's function of that name with the array in front, `numpy` asks NumPy's method on the zero-copy view and gives its
// result as it is (exports, text, pickles: no array comes back), `views` wraps what comes back (only layout is touched),
// `falls_back` computes with NumPy and is counted and reported.
#include "bindings/methods.h"

#include "bindings/operators.h"
#include "bindings/real_numpy.h"

namespace manycore::python {

namespace {

template <size_t kSize>
struct Name {
  constexpr Name(const char (&text)[kSize]) { std::copy_n(text, kSize, characters); }
  char characters[kSize];
};

template <Name kName>
MANYCORE_METHOD(numpy) {
  return call_real_method(self, kName.characters, {args, nargs, keywords});
}

template <Name kName>
MANYCORE_METHOD(views) {
  return call_real_method_wrapped(self, kName.characters, {args, nargs, keywords});
}

template <Name kName>
MANYCORE_METHOD(falls_back) {
  return fall_back_to_method(self, kName.characters, {args, nargs, keywords}, "no native method");
}

// The native function numpy.<kName>(self, ...).
template <Name kName>
MANYCORE_METHOD(function) {
  static const void* native = find_native_function(kName.characters);
  return call_native_function(native, self, kName.characters, {args, nargs, keywords});
}

// NumPy says which versions of the standard there are.
PyObject* array_namespace(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 0 || kwargs != nullptr) {
    PyObject* real = to_numpy(self);
    PyObject* ask = real != nullptr ? PyObject_GetAttrString(real, "__array_namespace__") : nullptr;
    PyObject* answer = ask != nullptr ? PyObject_Call(ask, args, kwargs) : nullptr;
    Py_XDECREF(real);
    Py_XDECREF(ask);
    if (answer == nullptr) return nullptr;
    Py_DECREF(answer);
  }
  return PyImport_ImportModule("manycore.numpy");
}

// ndarray[shape, dtype]; NumPy words what is wrong with other numbers of arguments.
PyObject* generic_alias(PyObject* type, PyObject* arguments) {
  const bool wrong = PyTuple_Check(arguments) && (PyTuple_GET_SIZE(arguments) < 1 || PyTuple_GET_SIZE(arguments) > 2);
  return wrong ? PyObject_CallMethod(reinterpret_cast<PyObject*>(real_numpy().ndarray), "__class_getitem__", "(O)", arguments)
               : Py_GenericAlias(type, arguments);
}

template <class Function>
PyCFunction as_method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;
constexpr int kWithDict = METH_VARARGS | METH_KEYWORDS;

#define MANYCORE_ROW(name, function) \
  { name, as_method(function), kFast, nullptr }
#define MANYCORE_NUMPY(name) \
  { name, as_method(numpy<name>), kFast, nullptr }
#define MANYCORE_VIEWS(name) \
  { name, as_method(views<name>), kFast, nullptr }
#define MANYCORE_FUNCTION(name) \
  { name, as_method(function<name>), kFast, nullptr }
#define MANYCORE_FALLS_BACK(name) \
  { name, as_method(falls_back<name>), kFast, nullptr }

}  // namespace

PyMethodDef array_methods[] = {
    MANYCORE_ROW("reshape", method_reshape),
    MANYCORE_ROW("transpose", method_transpose),
    MANYCORE_ROW("ravel", method_ravel),
    MANYCORE_ROW("flatten", method_flatten),
    MANYCORE_ROW("squeeze", method_squeeze),
    MANYCORE_ROW("swapaxes", method_swapaxes),
    MANYCORE_ROW("resize", method_resize),
    MANYCORE_VIEWS("diagonal"),

    MANYCORE_ROW("copy", method_copy),
    MANYCORE_ROW("astype", method_astype),
    MANYCORE_ROW("view", method_view),
    MANYCORE_ROW("fill", method_fill),
    MANYCORE_ROW("item", method_item),
    MANYCORE_ROW("setflags", method_setflags),
    MANYCORE_ROW("tolist", method_tolist),
    MANYCORE_NUMPY("tobytes"),
    MANYCORE_NUMPY("tofile"),
    MANYCORE_NUMPY("dump"),
    MANYCORE_NUMPY("dumps"),
    MANYCORE_VIEWS("to_device"),

    MANYCORE_ROW("take", method_take),
    MANYCORE_ROW("repeat", method_repeat),
    MANYCORE_ROW("round", method_round),
    MANYCORE_ROW("nonzero", method_nonzero),
    MANYCORE_ROW("conj", method_conj),
    MANYCORE_ROW("conjugate", method_conjugate),

    MANYCORE_FUNCTION("sum"),
    MANYCORE_FUNCTION("prod"),
    MANYCORE_FUNCTION("min"),
    MANYCORE_FUNCTION("max"),
    MANYCORE_FUNCTION("any"),
    MANYCORE_FUNCTION("all"),
    MANYCORE_FUNCTION("mean"),
    MANYCORE_FUNCTION("var"),
    MANYCORE_FUNCTION("std"),
    MANYCORE_FUNCTION("argmin"),
    MANYCORE_FUNCTION("argmax"),
    MANYCORE_FUNCTION("cumsum"),
    MANYCORE_FUNCTION("cumprod"),
    MANYCORE_FUNCTION("dot"),
    MANYCORE_FUNCTION("clip"),

    MANYCORE_FALLS_BACK("argpartition"),
    MANYCORE_FALLS_BACK("argsort"),
    MANYCORE_FALLS_BACK("byteswap"),
    MANYCORE_FALLS_BACK("choose"),
    MANYCORE_FALLS_BACK("compress"),
    MANYCORE_FALLS_BACK("getfield"),
    MANYCORE_FALLS_BACK("partition"),
    MANYCORE_FALLS_BACK("put"),
    MANYCORE_FALLS_BACK("searchsorted"),
    MANYCORE_FALLS_BACK("setfield"),
    MANYCORE_FALLS_BACK("sort"),
    MANYCORE_FALLS_BACK("trace"),

    MANYCORE_ROW("__array__", method_array),
    {"__array_ufunc__", as_method(array_ufunc), kWithDict, nullptr},
    {"__array_function__", as_method(array_function), kWithDict, nullptr},
    MANYCORE_VIEWS("__array_wrap__"),
    {"__array_namespace__", as_method(array_namespace), kWithDict, nullptr},
    {"__copy__", method_shallow_copy, METH_NOARGS, nullptr},
    {"__deepcopy__", method_deep_copy, METH_O, nullptr},
    {"__setstate__", method_set_state, METH_O, nullptr},
    {"__sizeof__", method_size_of, METH_NOARGS, nullptr},
    {"__complex__", method_complex, METH_NOARGS, nullptr},
    MANYCORE_NUMPY("__reduce__"),
    MANYCORE_NUMPY("__reduce_ex__"),
    MANYCORE_NUMPY("__format__"),
    MANYCORE_NUMPY("__dlpack__"),
    MANYCORE_NUMPY("__dlpack_device__"),
    {"__class_getitem__", as_method(generic_alias), METH_O | METH_CLASS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace manycore::python
