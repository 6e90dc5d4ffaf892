// Which axes a reduction takes away, and the array that its results go to: a new one in NumPy's layout, or the caller's output.
// Internal to the reductions of evaluate/.
#pragma once

#include "evaluate/reduce.h"

namespace manycore::evaluate {

struct ReduceAxes {
  bool reduced[kMaxDims];
  int count = 0;

  ReduceAxes(const View& input, const ReduceOptions& options);
  int64_t items(const View& input) const;  // elements per result
};

// Life: construct, let plan_reduction read given_strides() and write strides(), create(), fold into data(), finish().
class ReduceResult {
 public:
  // Throws NumPy's ValueError when options.output has the wrong shape.
  ReduceResult(const View& input, const ReduceAxes& axes, const ReduceOptions& options, DType dtype, const char* name);

  // Per axis of the input, 0 where reduced; null when a new array is made.
  const int64_t* given_strides() const { return in_place_ ? strides_ : nullptr; }
  int64_t* strides() { return strides_; }
  void create();
  std::byte* data() const { return array_.data(); }
  const Array& array() const { return array_; }
  // The result; written to options.output, cast, when it could not be folded in place.
  Array finish(const ReduceOptions& options);

 private:
  const View& input_;
  const ReduceAxes& axes_;
  bool keepdims_;
  DType dtype_;
  bool in_place_ = false;
  int64_t strides_[kMaxDims];
  Array array_;
};

}  // namespace manycore::evaluate
