#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/reduce_product.cpp"
#include <complex>

#include "kernel/dispatch.h"
#include "kernel/product-inl.h"
#include "kernel/reduce-inl.h"
#include "kernel/reduce_tables.h"

MANYCORE_TARGET_BEGIN

struct Multiply {
  template <class T>
  T operator()(T a, T b) const {
    return a * b;
  }
  template <class T>
  std::complex<T> operator()(std::complex<T> a, std::complex<T> b) const {
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  }
};
// Wraps for both signs; in 64 bits because small unsigned types would promote to int.
struct MultiplyInteger {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  }
};
struct MultiplyTruth {
  uint8_t operator()(uint8_t a, uint8_t b) const { return static_cast<uint8_t>(a != 0 && b != 0); }
};

// Complex runs are folded one element after the other with every product rounded, rows by NumPy's vector loop: so each equals
// NumPy's.
template <class T>
constexpr ReduceLoops complex_loops() {
  using C = std::complex<T>;
  return {&fold_run<C, C, Multiply>, &fold_rows<Z<T>, Z<T>, FusedProduct>, &fold_each<&fold_run<C, C, Multiply>>, false};
}

// In float32 over the run, rounded once.
void product_run_half(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  Half& half = *reinterpret_cast<Half*>(accumulator);
  float value = half_to_float(half);
  for (int64_t i = 0; i < n; ++i) value *= half_to_float(*reinterpret_cast<const Half*>(input + i * stride));
  half = to_half(value);
}

static const FoldTable& product_table() {
  static constexpr FoldTable kTable = {{fold_loops<uint8_t, uint8_t, MultiplyTruth>(true),
                                        fold_loops<uint8_t, uint8_t, MultiplyInteger>(true),
                                        fold_loops<uint16_t, uint16_t, MultiplyInteger>(true),
                                        fold_loops<uint32_t, uint32_t, MultiplyInteger>(true),
                                        fold_loops<uint64_t, uint64_t, MultiplyInteger>(true),
                                        fold_loops<uint8_t, uint8_t, MultiplyInteger>(true),
                                        fold_loops<uint16_t, uint16_t, MultiplyInteger>(true),
                                        fold_loops<uint32_t, uint32_t, MultiplyInteger>(true),
                                        fold_loops<uint64_t, uint64_t, MultiplyInteger>(true),
                                        {&product_run_half, &fold_half_rows<Multiply>, &fold_each<&product_run_half>, false},
                                        fold_loops<float, float, Multiply>(false),
                                        fold_loops<double, double, Multiply>(false),
                                        complex_loops<float>(),
                                        complex_loops<double>()}};
  return kTable;
}

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(product_table);
const FoldTable& find_product_table() { return HWY_DYNAMIC_DISPATCH(product_table)(); }
}  // namespace manycore::kernel
#endif
