#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/reduce_logic.cpp"
#include <complex>

#include "kernel/dispatch.h"
#include "kernel/reduce-inl.h"
#include "kernel/reduce_tables.h"

MANYCORE_TARGET_BEGIN

// An element is true when it differs from zero: NaN is true, -0.0 is false.
template <class T>
inline bool is_true(T a) {
  return a != T(0);
}
inline bool is_true(Half a) { return (a.bits & 0x7fff) != 0; }

// Accumulators are 0 or 1.
struct And {
  template <class E>
  uint8_t operator()(uint8_t a, E b) const {
    return static_cast<uint8_t>(a & static_cast<uint8_t>(is_true(b)));
  }
};
struct Or {
  template <class E>
  uint8_t operator()(uint8_t a, E b) const {
    return static_cast<uint8_t>(a | static_cast<uint8_t>(is_true(b)));
  }
};
struct Xor {
  template <class E>
  uint8_t operator()(uint8_t a, E b) const {
    return static_cast<uint8_t>(a ^ static_cast<uint8_t>(is_true(b)));
  }
};
struct Count {
  template <class E>
  int64_t operator()(int64_t a, E b) const {
    return a + is_true(b);
  }
};

// How many of n elements are true. Blocks keep their counts in bytes, so that the compiler adds a whole vector at a time.
template <class E>
int64_t count_true(const std::byte* input, int64_t stride, int64_t n) {
  int64_t total = 0;
  int64_t i = 0;
  if (stride == sizeof(E)) {
    const E* x = reinterpret_cast<const E*>(input);
    constexpr int64_t kLanes = 64, kSteps = 255;
    while (i + kLanes <= n) {
      const int64_t steps = (n - i) / kLanes < kSteps ? (n - i) / kLanes : kSteps;
      uint8_t lane[kLanes] = {};
      for (int64_t s = 0; s < steps; ++s, i += kLanes) {
        for (int64_t k = 0; k < kLanes; ++k) lane[k] = static_cast<uint8_t>(lane[k] + is_true(x[i + k]));
      }
      for (int64_t k = 0; k < kLanes; ++k) total += lane[k];
    }
  }
  for (; i < n; ++i) total += is_true(*reinterpret_cast<const E*>(input + i * stride));
  return total;
}

template <class E>
void count_run(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  *reinterpret_cast<int64_t*>(accumulator) += count_true<E>(input, stride, n);
}

// Stops at the first block that decides: one true element for any, one false for all.
template <class E, bool kAny>
void decide_run(std::byte* accumulator, const std::byte* input, int64_t stride, int64_t n) {
  uint8_t& value = *reinterpret_cast<uint8_t*>(accumulator);
  value = value != 0;
  constexpr int64_t kBlock = 4096;
  for (int64_t first = 0; first < n && value != (kAny ? 1 : 0); first += kBlock) {
    const int64_t count = n - first < kBlock ? n - first : kBlock;
    const int64_t trues = count_true<E>(input + first * stride, stride, count);
    if (kAny ? trues > 0 : trues < count) value = kAny ? 1 : 0;
  }
}

template <class E>
constexpr ReduceLoops logic_loops(Reduction reduction) {
  switch (reduction) {
    case Reduction::kAll:
      return {&decide_run<E, false>, &fold_rows<uint8_t, E, And>, &fold_each<&decide_run<E, false>>, true};
    case Reduction::kAny:
      return {&decide_run<E, true>, &fold_rows<uint8_t, E, Or>, &fold_each<&decide_run<E, true>>, true};
    case Reduction::kLogicalXor:
      return fold_loops<uint8_t, E, Xor>(true);
    default:
      return {&count_run<E>, &fold_rows<int64_t, E, Count>, &fold_each<&count_run<E>>, true};
  }
}

constexpr FoldTable logic_table(Reduction r) {
  return {{logic_loops<uint8_t>(r), logic_loops<uint8_t>(r), logic_loops<uint16_t>(r), logic_loops<uint32_t>(r),
           logic_loops<uint64_t>(r), logic_loops<uint8_t>(r), logic_loops<uint16_t>(r), logic_loops<uint32_t>(r),
           logic_loops<uint64_t>(r), logic_loops<Half>(r), logic_loops<float>(r), logic_loops<double>(r),
           logic_loops<std::complex<float>>(r), logic_loops<std::complex<double>>(r)}};
}

static const FoldTable& logic_tables(Reduction reduction) {
  static constexpr FoldTable kAllTable = logic_table(Reduction::kAll), kAnyTable = logic_table(Reduction::kAny),
                             kXorTable = logic_table(Reduction::kLogicalXor), kCountTable = logic_table(Reduction::kCountNonzero);
  switch (reduction) {
    case Reduction::kAll:
      return kAllTable;
    case Reduction::kAny:
      return kAnyTable;
    case Reduction::kLogicalXor:
      return kXorTable;
    default:
      return kCountTable;
  }
}

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(logic_tables);
const FoldTable& find_logic_table(Reduction reduction) { return HWY_DYNAMIC_DISPATCH(logic_tables)(reduction); }
}  // namespace manycore::kernel
#endif
