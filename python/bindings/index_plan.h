// What an index expression asks for, sorted out before anything is touched. Only what NumPy would accept is planned; for
// everything else (errors included) the plan is declined and NumPy itself reads the same expression on the zero-copy view, so
// its exceptions and texts are its own.
#pragma once

#include <vector>

#include "bindings/array_object.h"

namespace manycore::python {

enum class IndexKind : unsigned char {
  kDeclined,  // NumPy decides
  kElement,   // every axis has an integer: `view` is zero-dimensional
  kView,      // basic indexing
  kAdvanced,  // integer arrays (masks turned into them) over `view`
  kMask,      // one boolean array over the leading axes of `view`
};

struct IndexPlan {
  IndexKind kind = IndexKind::kDeclined;
  View view;                   // after the basic part
  bool copies = false;         // a view that NumPy copies: a zero-dimensional array stood among the integers
  std::vector<Array> indices;  // kAdvanced: one per indexed axis; kMask: the mask
  std::vector<int> axes;       // kAdvanced: the axes of `view` that they index
  int result_axis = 0;         // kAdvanced: where their dimensions stand in the result
};

// 1: planned or declined (see kind). -1: a Python exception is set (an object's __index__ raised, memory).
int plan_index(const View& view, PyObject* index, IndexPlan* plan);

}  // namespace manycore::python
