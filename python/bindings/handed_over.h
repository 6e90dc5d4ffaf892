// What one call hands over to a library and takes back (docs/decisions/0001-crossing.md). Lives on the stack of the call, holds
// references to the arrays and containers that it replaced. Needs the GIL.
//   HandedOver handed; give() each argument; call; take_back(); receive() the result.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <array>
#include <vector>

namespace manycore::python {

extern PyTypeObject* ndarray_type;  // NumPy's, set by register_crossing

// How deep lists, tuples and dicts are searched.
constexpr int kCrossingDepth = 3;
bool holds_array(PyObject* object, int depth);

class HandedOver {
 public:
  HandedOver() = default;
  HandedOver(const HandedOver&) = delete;
  HandedOver& operator=(const HandedOver&) = delete;
  ~HandedOver();

  // New reference to what the library receives in place of `object`. Containers of the user are changed in place and put back, so
  // that a library that appends to a user's list appends to that list; tuples cannot change and are rebuilt.
  PyObject* give(PyObject* object, int depth);

  // Puts ours back into the user's containers; real arrays that the library left there become ours. Keeps a pending exception.
  bool take_back();

  // Steals `result`: a real array becomes ours, also inside a tuple, list or dict that nobody else holds.
  PyObject* receive(PyObject* result) const;

 private:
  struct Pair {
    PyObject* ours;
    PyObject* real;
  };

  PyObject* give_array(PyObject* ours);
  PyObject* give_tuple(PyObject* tuple, int depth);
  bool give_list(PyObject* list, int depth);
  bool give_dict(PyObject* dict, int depth);
  bool remember(PyObject* container);
  bool take_back_list(PyObject* list);
  bool take_back_dict(PyObject* dict);
  PyObject* ours_for(PyObject* real) const;
  const Pair* find(PyObject* Pair::*member, PyObject* object) const;
  PyObject* receive_shared_tuple(PyObject* result) const;
  PyObject* receive_items(PyObject* result) const;
  PyObject* receive_values(PyObject* result) const;

  // The first few without an allocation: it would cost as much as handing the array over.
  std::array<Pair, 4> few_;
  size_t few_count_ = 0;
  std::vector<Pair> more_;
  std::vector<PyObject*> containers_;
};

}  // namespace manycore::python
