// Loop templates and registration, compiled once per SIMD target (hence the toggled guard). A kernel is a stateless generic
// lambda over elements; the templates give it a contiguous variant, one per operand that is a broadcast scalar, and a strided
// one. The compiler vectorises the first two for the target: `ivdep` holds because an output is an input exactly or not at all.
#include "hwy/highway.h"
#include "kernel/table.h"

#if defined(MANYCORE_KERNEL_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MANYCORE_KERNEL_LOOPS_INL_H_
#undef MANYCORE_KERNEL_LOOPS_INL_H_
#else
#define MANYCORE_KERNEL_LOOPS_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

#define MANYCORE_VECTORISE _Pragma("GCC ivdep")

template <class T>
inline const T& at(const char* p) {
  return *reinterpret_cast<const T*>(p);
}
template <class T>
inline T& at(char* p) {
  return *reinterpret_cast<T*>(p);
}

template <class R, class A, class F>
void unary_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const int64_t n = dims[0];
  const int64_t sa = steps[0], sr = steps[1];
  const char* a = args[0];
  char* r = args[1];
  if (sa == sizeof(A) && sr == sizeof(R)) {
    const A* x = reinterpret_cast<const A*>(a);
    R* y = reinterpret_cast<R*>(r);
    MANYCORE_VECTORISE
    for (int64_t i = 0; i < n; ++i) y[i] = F{}(x[i]);
    return;
  }
  if (sr == sizeof(R)) {
    R* y = reinterpret_cast<R*>(r);
    for (int64_t i = 0; i < n; ++i, a += sa) y[i] = F{}(at<A>(a));
    return;
  }
  for (int64_t i = 0; i < n; ++i, a += sa, r += sr) at<R>(r) = F{}(at<A>(a));
}

template <class R, class A, class B, class F>
void binary_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const int64_t n = dims[0];
  const int64_t sa = steps[0], sb = steps[1], sr = steps[2];
  const char* a = args[0];
  const char* b = args[1];
  char* r = args[2];
  const A* x = reinterpret_cast<const A*>(a);
  const B* y = reinterpret_cast<const B*>(b);
  R* z = reinterpret_cast<R*>(r);
  if (sr == sizeof(R) && sa == sizeof(A) && sb == sizeof(B)) {
    MANYCORE_VECTORISE
    for (int64_t i = 0; i < n; ++i) z[i] = F{}(x[i], y[i]);
  } else if (sr == sizeof(R) && sa == sizeof(A) && sb == 0 && n > 0) {
    const B right = *y;
    MANYCORE_VECTORISE
    for (int64_t i = 0; i < n; ++i) z[i] = F{}(x[i], right);
  } else if (sr == sizeof(R) && sa == 0 && sb == sizeof(B) && n > 0) {
    const A left = *x;
    MANYCORE_VECTORISE
    for (int64_t i = 0; i < n; ++i) z[i] = F{}(left, y[i]);
  } else {
    for (int64_t i = 0; i < n; ++i, a += sa, b += sb, r += sr) at<R>(r) = F{}(at<A>(a), at<B>(b));
  }
}

template <class T, class F>
void ternary_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  const int64_t n = dims[0];
  const char *a = args[0], *b = args[1], *c = args[2];
  char* r = args[3];
  if (steps[0] == sizeof(T) && steps[1] == 0 && steps[2] == 0 && steps[3] == sizeof(T) && n > 0) {
    const T* x = reinterpret_cast<const T*>(a);
    T* z = reinterpret_cast<T*>(r);
    const T second = at<T>(b), third = at<T>(c);
    MANYCORE_VECTORISE
    for (int64_t i = 0; i < n; ++i) z[i] = F{}(x[i], second, third);
    return;
  }
  for (int64_t i = 0; i < n; ++i, a += steps[0], b += steps[1], c += steps[2], r += steps[3]) {
    at<T>(r) = F{}(at<T>(a), at<T>(b), at<T>(c));
  }
}

// A float or double as an integer; out of range, what cast.cpp says.
template <class R, class A>
HWY_INLINE R truncated(A x) {
  if constexpr (sizeof(R) <= 2) {
    return R(int32_t(x));
  } else if constexpr (std::is_same_v<R, uint32_t>) {
    return R(int64_t(x));
  } else if constexpr (std::is_same_v<R, uint64_t>) {
    // One conversion, of what is in its range: where both sides of a choice are computed, the one not taken would report invalid.
    constexpr A kHalfRange = A(9223372036854775808.0);
    const bool upper = x >= kHalfRange;
    return uint64_t(int64_t(x - (upper ? kHalfRange : A(0)))) ^ (uint64_t(upper) << 63);
  } else {
    return R(x);
  }
}

// F(x, &first, &second) and F(x, y, &first, &second).
template <class A, class R1, class R2, class F>
void unary_pair_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *r1 = args[1], *r2 = args[2];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], r1 += steps[1], r2 += steps[2]) {
    const A x = at<A>(a);  // read before either result is written: one of them may be the input
    F{}(x, &at<R1>(r1), &at<R2>(r2));
  }
}

template <class T, class F>
void binary_pair_loop(char** args, const int64_t* dims, const int64_t* steps, void*) {
  char *a = args[0], *b = args[1], *r1 = args[2], *r2 = args[3];
  for (int64_t i = 0; i < dims[0]; ++i, a += steps[0], b += steps[1], r1 += steps[2], r2 += steps[3]) {
    const T x = at<T>(a), y = at<T>(b);
    F{}(x, y, &at<T>(r1), &at<T>(r2));
  }
}

// Registration: operation, element types, kernel. `map` keeps the type, `test` answers a truth value.
template <class... T, class F>
void map(Builder& builder, op::Op op, Types<T...>, F) {
  (builder.set(op, slot_of<T>, &unary_loop<T, T, F>), ...);
}
template <class... T, class F>
void map2(Builder& builder, op::Op op, Types<T...>, F) {
  (builder.set(op, slot_of<T>, &binary_loop<T, T, T, F>), ...);
}
template <class... T, class F>
void map3(Builder& builder, op::Op op, Types<T...>, F) {
  (builder.set(op, slot_of<T>, &ternary_loop<T, F>), ...);
}
template <class... T, class F>
void test(Builder& builder, op::Op op, Types<T...>, F) {
  (builder.set(op, slot_of<T>, &unary_loop<Truth, T, F>), ...);
}
template <class... T, class F>
void test2(Builder& builder, op::Op op, Types<T...>, F) {
  (builder.set(op, slot_of<T>, &binary_loop<Truth, T, T, F>), ...);
}
template <class... T, class F>
void pair(Builder& builder, op::Op op, Types<T...>, F) {
  (builder.set(op, slot_of<T>, &unary_pair_loop<T, T, T, F>), ...);
}
template <class... T, class F>
void pair2(Builder& builder, op::Op op, Types<T...>, F) {
  (builder.set(op, slot_of<T>, &binary_pair_loop<T, F>), ...);
}
// Operations whose bits do not depend on the sign: the unsigned loop serves both.
template <class... T, class F>
void map_bits(Builder& builder, op::Op op, Types<T...>, F) {
  ((builder.set(op, slot_of<T>, &unary_loop<T, T, F>), builder.set(op, slot_of<std::make_signed_t<T>>, &unary_loop<T, T, F>)),
   ...);
}
template <class... T, class F>
void map2_bits(Builder& builder, op::Op op, Types<T...>, F) {
  ((builder.set(op, slot_of<T>, &binary_loop<T, T, T, F>),
    builder.set(op, slot_of<std::make_signed_t<T>>, &binary_loop<T, T, T, F>)),
   ...);
}
template <class... T, class F>
void test_bits(Builder& builder, op::Op op, Types<T...>, F) {
  ((builder.set(op, slot_of<T>, &unary_loop<Truth, T, F>),
    builder.set(op, slot_of<std::make_signed_t<T>>, &unary_loop<Truth, T, F>)),
   ...);
}
template <class... T, class F>
void test2_bits(Builder& builder, op::Op op, Types<T...>, F) {
  ((builder.set(op, slot_of<T>, &binary_loop<Truth, T, T, F>),
    builder.set(op, slot_of<std::make_signed_t<T>>, &binary_loop<Truth, T, T, F>)),
   ...);
}

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // toggle
