// The inner loops of reductions: pure functions on strided runs, single-thread, SIMD chosen at run time. Bits do not depend on
// the SIMD level, but for rows of complex products (product-inl.h). Order of operations, NumPy's own:
//   sum of float16/32/64 and complex over a run: pairwise - 8 accumulators over blocks of at most 128 elements, joined as
//     ((0+1)+(2+3))+((4+5)+(6+7)), halves rounded down to multiples of 8; float16 adds in float32 and rounds once per run;
//     a complex element counts as two, real and imaginary parts use four accumulators each;
//   prod over a run: one after the other, float16 in float32; everything else: exact, so any order.
// Which runs NumPy makes of an array is evaluate/reduce_order.h's matter. docs/decisions/0003-order-of-additions.md says where
// bits can differ. Tables are constant; all functions are thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "manycore/dtype.h"
#include "manycore/export.h"

namespace manycore::kernel {

enum class Reduction : uint8_t {
  kSum,
  kProd,
  kMin,
  kMax,
  kFmin,
  kFmax,
  kAll,
  kAny,
  kLogicalXor,
  kBitwiseAnd,
  kBitwiseOr,
  kBitwiseXor,
  kArgmin,
  kArgmax,
  kCountNonzero
};
inline constexpr int kFoldCount = 12;  // the reductions before kArgmin fold an operation over elements

struct ReduceLoops {
  // *accumulator = *accumulator (op) the n elements that lie `stride` bytes apart.
  void (*run)(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) = nullptr;
  // accumulators[j] = accumulators[j] (op) row[j] for one row after the other; rows lie row_stride bytes apart.
  void (*rows)(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t stride, int64_t n,
               int64_t rows, int64_t row_stride) = nullptr;
  // One run after the other: run i starts at input + i * row_stride and folds into its own accumulator.
  void (*each)(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t stride, int64_t n,
               int64_t runs, int64_t row_stride) = nullptr;
  // Exact and order-free: a run may be cut anywhere, and the results of the pieces folded by `run` in any order.
  bool exact = false;
};

// Loops over elements of `from` into an accumulator of `to`; null where there is no direct one (the caller casts to `to` first).
// Exists for from == to wherever NumPy has a loop, for sums of small integers into 64 bits, and for all, any, logical_xor
// (to bool) and count_nonzero (to int64) from every dtype.
MANYCORE_API const ReduceLoops* find_reduction(Reduction reduction, DType from, DType to);

// The pairwise sum itself, for callers that cut a long run at the tree's own places and for fused sums. `dtype` is float16/32/64
// or complex; the result is of sum_dtype: float32 for float16, else the same.
using PairwiseSum = void (*)(std::byte* result, const std::byte* input, int64_t stride, int64_t n);
MANYCORE_API PairwiseSum find_pairwise_sum(DType dtype);
// Where the tree cuts a run of n > pairwise_leaf(dtype) elements: the left part's length.
constexpr int64_t pairwise_leaf(DType dtype) { return is_complex(dtype) ? 64 : 128; }
constexpr int64_t pairwise_split(int64_t n, DType dtype) {
  const int64_t half = is_complex(dtype) ? n : n / 2;  // complex: n elements are 2n numbers
  const int64_t cut = half - half % 8;
  return is_complex(dtype) ? cut / 2 : cut;
}

// Pairwise sum of |x - mean|^2 for inexact dtypes; mean is of `dtype`, the result real (float32 for float16, whose differences
// and squares are rounded to float16 first, as NumPy's are).
using DeviationSum = void (*)(std::byte* result, const std::byte* input, int64_t stride, int64_t n, const std::byte* mean);
MANYCORE_API DeviationSum find_deviation_sum(DType dtype);
// accumulators[j] += |row[j] - means[j]|^2, one row after the other; accumulators are real, of `dtype`'s precision.
using DeviationRows = void (*)(std::byte* accumulators, int64_t accumulator_stride, const std::byte* means, int64_t mean_stride,
                               const std::byte* input, int64_t stride, int64_t n, int64_t rows, int64_t row_stride);
MANYCORE_API DeviationRows find_deviation_rows(DType dtype);

}  // namespace manycore::kernel
