// Loop templates of reductions, compiled once per SIMD target (hence the toggled guard).
#if defined(MANYCORE_KERNEL_REDUCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MANYCORE_KERNEL_REDUCE_INL_H_
#undef MANYCORE_KERNEL_REDUCE_INL_H_
#else
#define MANYCORE_KERNEL_REDUCE_INL_H_
#endif

#include "kernel/half.h"
#include "kernel/reduce.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

// What a run reads soon; addresses past the end are harmless.
inline void prefetch(const void* p) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(p) + 4096), 0, 3);
}

// accumulators[j] = F(accumulators[j], row[j]). Contiguous rows are taken four at a time in blocks that stay in the first-level
// cache: each accumulator is loaded and stored once per four rows, in the same order per element.
template <class A, class E, class F>
void fold_rows(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t stride, int64_t n,
               int64_t rows, int64_t row_stride) {
  if (accumulator_stride != sizeof(A) || stride != sizeof(E)) {
    for (int64_t i = 0; i < rows; ++i, input += row_stride) {
      for (int64_t j = 0; j < n; ++j) {
        A& accumulator = *reinterpret_cast<A*>(accumulators + j * accumulator_stride);
        accumulator = F{}(accumulator, *reinterpret_cast<const E*>(input + j * stride));
      }
    }
    return;
  }
  constexpr int64_t kBlock = 2048;
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = n - first < kBlock ? n - first : kBlock;
    A* acc = reinterpret_cast<A*>(accumulators) + first;
    const std::byte* row = input + first * static_cast<int64_t>(sizeof(E));
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4, row += 4 * row_stride) {
      const E* a = reinterpret_cast<const E*>(row);
      const E* b = reinterpret_cast<const E*>(row + row_stride);
      const E* c = reinterpret_cast<const E*>(row + 2 * row_stride);
      const E* d = reinterpret_cast<const E*>(row + 3 * row_stride);
#pragma GCC ivdep
      for (int64_t j = 0; j < count; ++j) acc[j] = F{}(F{}(F{}(F{}(acc[j], a[j]), b[j]), c[j]), d[j]);
    }
    for (; i < rows; ++i, row += row_stride) {
      const E* a = reinterpret_cast<const E*>(row);
#pragma GCC ivdep
      for (int64_t j = 0; j < count; ++j) acc[j] = F{}(acc[j], a[j]);
    }
  }
}

// float16 rows: computed in float32 and rounded at every step. F works on floats. What the rounding raised is gathered on the side,
// so that the loop stays vector code.
template <class F>
void fold_half_rows(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t stride, int64_t n,
                    int64_t rows, int64_t row_stride) {
  uint32_t overflow = 0, underflow = 0;
  const auto step = [&](Half& accumulator, Half element) {
    const float exact = F{}(half_to_float(accumulator), half_to_float(element));
    accumulator = float_to_half(exact);
    const uint32_t magnitude = accumulator.bits & 0x7fffu;
    overflow |= magnitude == 0x7c00u && (std::bit_cast<uint32_t>(exact) & 0x7fffffffu) != 0x7f800000u;
    underflow |= magnitude < 0x400u && half_to_float(accumulator) != exact;
  };
  for (int64_t i = 0; i < rows; ++i, input += row_stride) {
    if (accumulator_stride == sizeof(Half) && stride == sizeof(Half)) {
      Half* acc = reinterpret_cast<Half*>(accumulators);
      const Half* x = reinterpret_cast<const Half*>(input);
#pragma GCC ivdep
      for (int64_t j = 0; j < n; ++j) step(acc[j], x[j]);
      continue;
    }
    for (int64_t j = 0; j < n; ++j) {
      step(*reinterpret_cast<Half*>(accumulators + j * accumulator_stride), *reinterpret_cast<const Half*>(input + j * stride));
    }
  }
  if (overflow | underflow) raise_status((overflow ? kOverflowBit : 0) | (underflow ? kUnderflowBit : 0));
}

// One after the other in a local; the compiler vectorises where the order is free (integers).
template <class A, class E, class F>
void fold_run(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  A value = *reinterpret_cast<A*>(accumulator);
  if (stride == sizeof(E)) {
    const E* x = reinterpret_cast<const E*>(input);
    constexpr int64_t kBlock = 4096 / static_cast<int64_t>(sizeof(E));
    for (int64_t first = 0; first < n; first += kBlock) {
      const int64_t last = n - first < kBlock ? n : first + kBlock;
      if (last < n) {
        for (int64_t i = first; i < last; i += 64 / static_cast<int64_t>(sizeof(E))) prefetch(x + i);
      }
      for (int64_t i = first; i < last; ++i) value = F{}(value, x[i]);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) value = F{}(value, *reinterpret_cast<const E*>(input + i * stride));
  }
  *reinterpret_cast<A*>(accumulator) = value;
}

// The call of a run per row, inlined: rows are often short.
template <auto kRun>
void fold_each(std::byte* accumulators, int64_t accumulator_stride, const std::byte* input, int64_t stride, int64_t n,
               int64_t runs, int64_t row_stride) {
  for (int64_t i = 0; i < runs; ++i) kRun(accumulators + i * accumulator_stride, input + i * row_stride, stride, n);
}

template <class A, class E, class F>
constexpr ReduceLoops fold_loops(bool exact) {
  return {&fold_run<A, E, F>, &fold_rows<A, E, F>, &fold_each<&fold_run<A, E, F>>, exact};
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // toggle
