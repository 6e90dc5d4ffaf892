// builtins.__build_class__ as user code meets it: a class statement with our array type among its bases gets NumPy's instead,
// before Python compares the metaclasses of the bases (`class X(np.ndarray, abc.ABC)`). Everything else goes on to what stood there
// before, without a frame in between. Needs the GIL.
#include <vector>

#include "bindings/array_object.h"
#include "bindings/crossing.h"
#include "bindings/real_numpy.h"

namespace manycore::python {
namespace {

PyObject* plain_build_class = nullptr;
constexpr Py_ssize_t kFirstBase = 2;  // after the body's function and the name

PyObject* build_class(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* ours = reinterpret_cast<PyObject*>(&ArrayType);
  Py_ssize_t first = kFirstBase;
  while (first < nargs && args[first] != ours) ++first;
  if (first >= nargs) return PyObject_Vectorcall(plain_build_class, args, static_cast<size_t>(nargs), kwnames);
  const Py_ssize_t total = nargs + (kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames));
  std::vector<PyObject*> real(args, args + total);
  for (Py_ssize_t i = first; i < nargs; ++i) {
    if (real[static_cast<size_t>(i)] == ours) real[static_cast<size_t>(i)] = reinterpret_cast<PyObject*>(real_numpy().ndarray);
  }
  return PyObject_Vectorcall(plain_build_class, real.data(), static_cast<size_t>(nargs), kwnames);
}

PyMethodDef build_class_method = {"__build_class__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(build_class)),
                                  METH_FASTCALL | METH_KEYWORDS, nullptr};

PyObject* make_build_class(PyObject*, PyObject* plain) {
  Py_XSETREF(plain_build_class, Py_NewRef(plain));
  PyObject* module = PyUnicode_FromString("builtins");
  PyObject* function = module != nullptr ? PyCFunction_NewEx(&build_class_method, nullptr, module) : nullptr;
  Py_XDECREF(module);
  return function;
}

PyMethodDef methods[] = {{"make_build_class", make_build_class, METH_O,
                          "Wrap __build_class__: subclasses of our array type are subclasses of NumPy's."},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool register_build_class(PyObject* module) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace manycore::python
