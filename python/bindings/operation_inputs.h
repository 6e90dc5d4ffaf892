// Inputs: the operands of one operation, taken from Python objects without copying and without the heap for arrays and
// numbers. Holds what it had to make (arrays of lists, wrapped real arrays) as long as it lives; the objects themselves must
// outlive it. Needs the GIL.
#pragma once

#include <optional>
#include <span>

#include "bindings/array_object.h"
#include "bindings/gil.h"
#include "evaluate/elementwise.h"

namespace manycore::python {

class Inputs {
 public:
  static constexpr int kMax = 3;

  // 1 taken, 0 not native (no exception; the caller lets NumPy answer), -1 error.
  int add(PyObject* object);
  int add_all(PyObject* const* objects, int count) {
    for (int i = 0; i < count; ++i) {
      if (const int taken = add(objects[i]); taken != 1) return taken;
    }
    return 1;
  }

  // A bare number becomes an array of no dimensions, whose dtype promotes.
  void make_strong(int index) { operands_[index].scalar.weak = Weak::kStrong; }

  std::span<const evaluate::Operand> operands() const { return {operands_, static_cast<size_t>(count_)}; }
  bool has_array() const { return has_array_; }
  int64_t largest() const { return largest_; }  // elements of the largest array operand

 private:
  int add_other(PyObject* object);
  void take(const Array& array) {
    operands_[count_++] = array;
    has_array_ = true;
    if (const int64_t size = array.size(); size > largest_) largest_ = size;
  }

  evaluate::Operand operands_[kMax] = {Scalar{}, Scalar{}, Scalar{}};
  std::optional<OperandHolder> holders_[kMax];
  int count_ = 0;
  bool has_array_ = false;
  int64_t largest_ = 0;
};

inline int Inputs::add(PyObject* object) {
  if (is_array(object)) {
    take(array_of(object));
    return 1;
  }
  if (PyFloat_CheckExact(object)) {
    operands_[count_++].scalar = Scalar::real(PyFloat_AS_DOUBLE(object));
    return 1;
  }
  return add_other(object);
}

// Releases the GIL around work on many elements; what the operands point at is kept alive by their objects.
class ReleaseForLarge {
 public:
  explicit ReleaseForLarge(int64_t elements) : state_(elements > kThreshold ? PyEval_SaveThread() : nullptr) {}
  ReleaseForLarge(const ReleaseForLarge&) = delete;
  ReleaseForLarge& operator=(const ReleaseForLarge&) = delete;
  ~ReleaseForLarge() {
    if (state_ != nullptr) take_gil(state_);
  }

 private:
  // Releasing and taking again costs about 50 ns without contention: one per cent of this many additions.
  static constexpr int64_t kThreshold = 20000;
  PyThreadState* state_;
};

// An object that stands for an array: ours, a real ndarray, a list or tuple of numbers. 1, 0 or -1 as Inputs::add.
int take_array(PyObject* object, Array* array);

// Where a result goes: ours, or a real ndarray whose memory can be written in place. 1, 0 or -1.
int take_output(PyObject* object, Array* array);

}  // namespace manycore::python
