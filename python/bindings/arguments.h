// Arguments of methods called with CPython's vectorcall convention, matched against names without allocating. A mismatch is
// not an error here: the caller hands the call to NumPy, which then raises its own TypeError or accepts what we do not.
#pragma once

#include <algorithm>
#include <iterator>
#include <vector>

#include "bindings/array_object.h"

namespace manycore::python {

struct Call {
  PyObject* const* args;
  Py_ssize_t count;    // positional arguments
  PyObject* keywords;  // names of the keyword arguments, whose values follow the positional ones; or null
};

// self and the call's arguments in one row, as the function that a method stands for takes them.
class MethodArguments {
 public:
  MethodArguments(PyObject* self, const Call& call) {
    const Py_ssize_t named = call.keywords ? PyTuple_GET_SIZE(call.keywords) : 0;
    const size_t count = static_cast<size_t>(call.count + named);
    if (count + 2 > std::size(inside_)) {
      outside_.resize(count + 2);
      row_ = outside_.data();
    }
    row_[1] = self;
    std::copy_n(call.args, count, row_ + 2);
  }
  PyObject* const* begin() const { return row_ + 1; }

 private:
  PyObject* inside_[10] = {};
  std::vector<PyObject*> outside_;
  PyObject** row_ = inside_;  // the place in front is the spare one that vectorcall may use
};

bool match_arguments(const Call& call, const char* const* names, PyObject** interned, int name_count, int positional,
                     PyObject** values);

// The parameters of one function. `positional`: how many of them may be given without a name. values[i] stays null where
// parameter i was not given.
template <int kCount>
class Parameters {
 public:
  constexpr Parameters(int positional, const char* const (&names)[kCount]) : positional_(positional) {
    for (int i = 0; i < kCount; ++i) names_[i] = names[i];
  }
  bool match(const Call& call, PyObject* (&values)[kCount]) {
    for (PyObject*& value : values) value = nullptr;
    return match_arguments(call, names_, interned_, kCount, positional_, values);
  }

 private:
  int positional_;
  const char* names_[kCount] = {};
  PyObject* interned_[kCount] = {};
};

// Readers of common parameters. Each returns 1 read, 0 not something that we handle (no exception), -1 error.
int read_integer(PyObject* object, int64_t* value);     // Python and NumPy integers; not bool
int read_dims(PyObject* object, Dims* dims);            // an integer, or a tuple or list of integers
int read_dtype(PyObject* object, DType* dtype);         // anything that numpy.dtype() takes
int read_axes(PyObject* object, int ndim, Dims* axes);  // an integer or a tuple, normalised and distinct
int read_flag(PyObject* object, bool* flag);            // True, False

// Was the parameter left out (null, None where none_is_absent, numpy._NoValue)?
bool is_absent(PyObject* object, bool none_is_absent = true);

}  // namespace manycore::python
