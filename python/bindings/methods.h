// Methods by kind, one file each; methods.cpp lists them all. Every function here has CPython's METH_FASTCALL | METH_KEYWORDS
// signature. What arguments are not understood natively goes to NumPy's method of the same name.
#pragma once

#include "bindings/array_type.h"

namespace manycore::python {

#define MANYCORE_METHOD(name) PyObject* name(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* keywords)

// methods_shape.cpp
MANYCORE_METHOD(method_reshape);
MANYCORE_METHOD(method_transpose);
MANYCORE_METHOD(method_ravel);
MANYCORE_METHOD(method_flatten);
MANYCORE_METHOD(method_squeeze);
MANYCORE_METHOD(method_swapaxes);
MANYCORE_METHOD(method_resize);

// methods_elements.cpp
MANYCORE_METHOD(method_take);
MANYCORE_METHOD(method_repeat);
MANYCORE_METHOD(method_round);
MANYCORE_METHOD(method_nonzero);
MANYCORE_METHOD(method_conj);
MANYCORE_METHOD(method_conjugate);

// methods_tolist.cpp
MANYCORE_METHOD(method_tolist);

// methods_function.cpp: methods that are a native module-level function with the array in front.
const void* find_native_function(const char* name);  // "sum"; null when NumPy's function has no native implementation
PyObject* call_native_function(const void* native, PyObject* self, const char* name, const Call& call);

// methods_copy.cpp
MANYCORE_METHOD(method_copy);
MANYCORE_METHOD(method_astype);
MANYCORE_METHOD(method_view);
MANYCORE_METHOD(method_fill);
MANYCORE_METHOD(method_item);
MANYCORE_METHOD(method_setflags);
MANYCORE_METHOD(method_array);
PyObject* method_shallow_copy(PyObject* self, PyObject*);     // __copy__
PyObject* method_deep_copy(PyObject* self, PyObject*);        // __deepcopy__
PyObject* method_set_state(PyObject* self, PyObject* state);  // __setstate__
PyObject* method_size_of(PyObject* self, PyObject*);          // __sizeof__
PyObject* method_complex(PyObject* self, PyObject*);          // __complex__

}  // namespace manycore::python
