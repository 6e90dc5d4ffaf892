// RealValues: the values of one call that crosses to NumPy. to_real() puts zero-copy real arrays (and NumPy's own functions)
// in the place of ours, also inside tuples, lists and dicts; from_real() wraps what comes back and recognises the arrays that
// went in, so that `out=` arrays come back as the same objects. Lives for one call, needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace manycore::python {

class RealValues {
 public:
  RealValues() = default;
  RealValues(const RealValues&) = delete;
  RealValues& operator=(const RealValues&) = delete;
  ~RealValues();

  // New references, or null with an exception set. from_real() takes over the reference it is given.
  PyObject* to_real(PyObject* object, int depth = 0);
  PyObject* from_real(PyObject* object, int depth = 0);

  int64_t bytes() const { return bytes_; }   // of all arrays that went over or came back
  bool crossed() const { return crossed_; }  // did any array?

 private:
  PyObject* real_tuple(PyObject* tuple, int depth);
  PyObject* real_list(PyObject* list, int depth);
  PyObject* real_dict(PyObject* dict, int depth);
  PyObject* wrapped_array(PyObject* real);
  PyObject* wrapped_tuple(PyObject* tuple, int depth);

  std::vector<std::pair<PyObject*, PyObject*>> arrays_;  // real, ours; both owned
  int64_t bytes_ = 0;
  bool crossed_ = false;
};

}  // namespace manycore::python
