#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/reduce_bitwise.cpp"
#include "kernel/dispatch.h"
#include "kernel/reduce-inl.h"
#include "kernel/reduce_tables.h"

MANYCORE_TARGET_BEGIN

struct BitAnd {
  template <class T>
  T operator()(T a, T b) const {
    return a & b;
  }
};
struct BitOr {
  template <class T>
  T operator()(T a, T b) const {
    return a | b;
  }
};
struct BitXor {
  template <class T>
  T operator()(T a, T b) const {
    return a ^ b;
  }
};

template <class F>
constexpr FoldTable bitwise_table() {
  constexpr ReduceLoops k8 = fold_loops<uint8_t, uint8_t, F>(true), k16 = fold_loops<uint16_t, uint16_t, F>(true);
  constexpr ReduceLoops k32 = fold_loops<uint32_t, uint32_t, F>(true), k64 = fold_loops<uint64_t, uint64_t, F>(true);
  return {{k8, k8, k16, k32, k64, k8, k16, k32, k64}};
}

static const FoldTable& bitwise_tables(Reduction reduction) {
  static constexpr FoldTable kTables[3] = {bitwise_table<BitAnd>(), bitwise_table<BitOr>(), bitwise_table<BitXor>()};
  return kTables[static_cast<int>(reduction) - static_cast<int>(Reduction::kBitwiseAnd)];
}

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(bitwise_tables);
const FoldTable& find_bitwise_table(Reduction reduction) { return HWY_DYNAMIC_DISPATCH(bitwise_tables)(reduction); }
}  // namespace manycore::kernel
#endif
