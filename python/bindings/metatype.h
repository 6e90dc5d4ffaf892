// The metatype of our array type. `class X(np.ndarray)` becomes a subclass of the real numpy.ndarray; isinstance and issubclass
// accept real arrays and subclasses too; np.ndarray.method(x) works for x ours and real.
#pragma once

#include "bindings/array_object.h"

namespace manycore::python {

bool register_metatype();

// After PyType_Ready(&ArrayType): ndarray.__new__(cls, ...) for subclasses of the real ndarray.
bool finish_array_type();

// NumPy's ndarray.view(type) takes our type for its own, and gives an array of ours then (real_view.cpp).
bool register_real_view();

}  // namespace manycore::python
