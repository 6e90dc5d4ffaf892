// ndarray.flags of our arrays: NumPy's interface (attributes, items by name, text), reading and writing our object.
#pragma once

#include "bindings/array_object.h"

namespace manycore::python {

PyObject* make_flags(PyObject* array);
bool register_flags();

// Sets the writeable flag as NumPy allows it: making an array writeable needs a writeable base. 0, or -1 with an exception.
int set_writeable(ArrayObject* self, bool writeable);

// NumPy's OWNDATA.
bool owns_data(const ArrayObject* self);

}  // namespace manycore::python
