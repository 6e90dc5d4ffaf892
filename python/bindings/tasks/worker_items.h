// The items of a chunk of map(), run in a worker one after the other: an exception is its item's own and the rest still runs.
// Results stay numbers in a row as long as all are numbers of one kind. With the GIL.
#pragma once

#include <Python.h>

#include "bindings/tasks/packed.h"
#include "bindings/tasks/reference.h"

namespace manycore::python::tasks {

struct ItemResults {
  PackedWriter numbers;  // all results, where `values` is null
  Reference values;      // a list
  Reference failures;    // exceptions by index, or null
  Reference interrupt;   // Ctrl-C came: the failure of that item and of all behind it, which are not run
  double nanoseconds = 0;

  // (values, failures or None, nanoseconds of an item). Null with an exception.
  Reference tuple() const;
};

// `items`: a list, another iterable, or with `packed` an object with a buffer of numbers. `broken` (null: none): exceptions by index of
// items that are not to be run. False with an exception that is not an item's.
bool run_items(PyObject* function, PyObject* items, PyObject* broken, bool packed, bool tuples, ItemResults* results);

}  // namespace manycore::python::tasks
