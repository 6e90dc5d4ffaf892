// A complex number by its parts and the product of two, compiled once per SIMD target (hence the toggled guard). NumPy's vector
// loops make each part of a product of one rounded product and one fused multiply-add where the processor has it, so these do,
// for every element at every position; what is fused is written out here and nowhere left to the compiler.
#if defined(MANYCORE_KERNEL_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MANYCORE_KERNEL_PRODUCT_INL_H_
#undef MANYCORE_KERNEL_PRODUCT_INL_H_
#else
#define MANYCORE_KERNEL_PRODUCT_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

// std::complex by fields, without operators of its own.
template <class T>
struct Z {
  T re, im;
};

template <class T>
HWY_INLINE T fused(T x, T y, T z) {
#if defined(__x86_64__) && HWY_TARGET > HWY_AVX2
  return x * y + z;
#else
  if constexpr (sizeof(T) == 4) return __builtin_fmaf(x, y, z);
  return __builtin_fma(x, y, z);
#endif
}

struct FusedProduct {
  template <class T>
  HWY_INLINE Z<T> operator()(Z<T> x, Z<T> y) const {
    return {fused(x.re, y.re, -(x.im * y.im)), fused(x.re, y.im, x.im * y.re)};
  }
};

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // toggle
