// Choosing between two operands by a bool one, whatever their type: by element size.
#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/select.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

template <class T, bool kScalarX, bool kScalarY>
void select_run(const uint8_t* condition, const T* x, const T* y, T* z, int64_t n) {
  const T left = *x, right = *y;
  MANYCORE_VECTORISE
  for (int64_t i = 0; i < n; ++i) {
    const T a = kScalarX ? left : x[i], b = kScalarY ? right : y[i];
    z[i] = condition[i] != 0 ? a : b;
  }
}

template <class T>
void select_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const int64_t n = dims[0];
  char *c = args[0], *a = args[1], *b = args[2], *r = args[3];
  constexpr int64_t kSize = sizeof(T);
  const bool plain =
      steps[0] == 1 && steps[3] == kSize && (steps[1] == kSize || steps[1] == 0) && (steps[2] == kSize || steps[2] == 0);
  if (plain && n > 0) {
    const uint8_t* condition = reinterpret_cast<const uint8_t*>(c);
    const T *x = &at<T>(a), *y = &at<T>(b);
    T* z = &at<T>(r);
    if (steps[1] != 0 && steps[2] != 0) return select_run<T, false, false>(condition, x, y, z, n);
    if (steps[1] != 0) return select_run<T, false, true>(condition, x, y, z, n);
    if (steps[2] != 0) return select_run<T, true, false>(condition, x, y, z, n);
    return select_run<T, true, true>(condition, x, y, z, n);
  }
  for (int64_t i = 0; i < n; ++i, c += steps[0], a += steps[1], b += steps[2], r += steps[3]) {
    at<T>(r) = *c != 0 ? at<T>(a) : at<T>(b);
  }
}

struct Wide {
  uint64_t low, high;
};

void select(Builder& b) {
  b.set_select(0, &select_loop<uint8_t>);
  b.set_select(1, &select_loop<uint16_t>);
  b.set_select(2, &select_loop<uint32_t>);
  b.set_select(3, &select_loop<uint64_t>);
  b.set_select(4, &select_loop<Wide>);
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(select);
void fill_select(Builder& builder) { HWY_DYNAMIC_DISPATCH(select)(builder); }
}  // namespace manycore::kernel
#endif
