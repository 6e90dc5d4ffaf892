// Basic indexing with what loops and stencils use: exact Python integers, slices, Ellipsis and None, alone or in a tuple. No
// allocation, nothing kept. Anything else, and what raises, is left to index_plan.h.
#pragma once

#include "bindings/array_object.h"

namespace manycore::python {

enum class BasicIndex : unsigned char { kOther, kElement, kView };

// kElement: an integer for every axis; result->data points at the element and the rest of `result` is not set.
// kView: `result` is the view. kOther: not for here, no exception set.
BasicIndex basic_index(const View& view, PyObject* index, View* result);

}  // namespace manycore::python
