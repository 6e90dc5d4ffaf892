// manycore.numpy.ufunc: one object per NumPy ufunc, native where op/ops.def has a row of that name. Whatever it does not know
// itself it asks the real ufunc for, so attributes and documentation are NumPy's. Those of NumPy's namespace live as long as the
// program, those that programs make (frompyfunc) as long as somebody holds them. Needs the GIL.
#pragma once

#include <optional>
#include <string>

#include "bindings/array_object.h"
#include "bindings/stand_in.h"
#include "evaluate/reduce.h"
#include "op/op.h"

namespace manycore::python {

struct UfuncObject : StandIn {
  int inputs;
  int outputs;
  bool is_native;  // `operation` is valid
  bool is_matmul;
  op::Op operation;
  std::optional<evaluate::Reduction> reduction;  // of .reduce and .accumulate
  std::string name;                              // "add", as in floating point warnings
  std::string qualified_name;                    // "numpy.add", as in reports
};

extern PyTypeObject UfuncType;
inline bool is_ufunc(PyObject* object) { return Py_TYPE(object) == &UfuncType; }

// Ours for a real ufunc, the same object as long as it lives; a new reference. Null with an exception when it cannot be made.
UfuncObject* ufunc_for(PyObject* real);
// Ours for an operation; null when this NumPy has no such ufunc (clip). Borrowed.
UfuncObject* ufunc_of(op::Op operation);

// The call: outputs after the inputs or in out=, and NumPy's keywords.
PyObject* ufunc_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames);

// Methods (METH_FASTCALL | METH_KEYWORDS).
PyObject* ufunc_reduce(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* ufunc_accumulate(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* ufunc_reduceat(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* ufunc_outer(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* ufunc_at(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);

}  // namespace manycore::python
