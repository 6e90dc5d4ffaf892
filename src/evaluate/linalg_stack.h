// What the functions of linalg.h share: types, checks, stacks of column-major matrices and the loop over them.
#pragma once

#include <string>

#include "evaluate/assign.h"
#include "library/lapack.h"
#include "manycore/array.h"
#include "sched/parallel.h"

namespace manycore::evaluate::linalg {

// The type of the computation (float64 or complex128) and of the result.
struct Types {
  DType computed;
  DType result;
  bool is_complex() const { return computed == DType::kComplex128; }
  DType real_result() const {
    return result == DType::kFloat32 || result == DType::kComplex64 ? DType::kFloat32 : DType::kFloat64;
  }
};
Types common_types(std::initializer_list<DType> dtypes);

void check_matrices(const View& a);  // at least two axes
void check_square(const View& a);
void check_library(const char* operation);
[[noreturn]] void fail(const char* words);

inline int64_t rows_of(const View& a) { return a.shape[a.ndim() - 2]; }
inline int64_t columns_of(const View& a) { return a.shape[a.ndim() - 1]; }
Dims stack_of(const View& a);
Dims joined(Dims stack, std::initializer_list<int64_t> core);
int64_t count_of(const Dims& stack);

// New memory for a stack of column-major matrices; its view reads (..., rows, columns).
Array column_major(const Dims& stack, int64_t rows, int64_t columns, DType dtype);
// The same with the elements of `a`, converted.
Array to_column_major(const View& a, DType dtype);
void make_identity(const Array& stack);
// C-contiguous elements of `dtype`.
Array to_result(const Array& computed, DType dtype);

// body(i, ...) for every matrix of the stack, in parallel when one is small work. `body` makes its workspace per range.
inline void for_stack(int64_t count, int64_t work, sched::RangeBody body) {
  constexpr int64_t kSmall = 1 << 18;  // OpenBLAS itself stays on one thread below
  if (work > kSmall) {
    for (int64_t i = 0; i < count; ++i) body(i, i + 1);
    return;
  }
  sched::parallel_for(count, std::max<int64_t>(1, kSmall / 16 / std::max<int64_t>(1, work)), body);
}

template <class T>
T* matrix(const Array& stack, int64_t i) {
  return reinterpret_cast<T*>(stack.data()) + i * rows_of(stack.view()) * columns_of(stack.view());
}

// Scratch for LAPACK.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t count)
      : buffer_(BufferRef::adopt(Buffer::allocate(std::max<int64_t>(1, count) * static_cast<int64_t>(sizeof(T))))) {}
  T* data() { return reinterpret_cast<T*>(buffer_->data()); }

 private:
  BufferRef buffer_;
};

}  // namespace manycore::evaluate::linalg
