#include "kernel/transpose.h"

#include <algorithm>
#include <cstring>

#include "kernel/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/transpose.cpp"
#include "hwy/foreach_target.h"
#include "kernel/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace manycore::kernel::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Square blocks of as many rows as a vector has lanes.
template <class T>
struct Square {
  using Tag = hn::ScalableTag<T>;
  using V = hn::Vec<Tag>;
  static constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag()));
  static constexpr int kInBlock = 16 / sizeof(T);  // lanes of 128 bits, within which vectors interleave
  static constexpr int kBlocks = kLanes / kInBlock;

  // Within 128 bits: kInBlock rows at a time become kInBlock columns.
  static HWY_INLINE void turn_lanes(V* v) {
    const Tag tag;
    if constexpr (sizeof(T) == 8) {
      const V lower = hn::InterleaveLower(tag, v[0], v[1]);
      v[1] = hn::InterleaveUpper(tag, v[0], v[1]);
      v[0] = lower;
    } else {
      const hn::RepartitionToWide<Tag> pairs;
      const auto a = hn::BitCast(pairs, hn::InterleaveLower(tag, v[0], v[1])),
                 b = hn::BitCast(pairs, hn::InterleaveUpper(tag, v[0], v[1])),
                 c = hn::BitCast(pairs, hn::InterleaveLower(tag, v[2], v[3])),
                 d = hn::BitCast(pairs, hn::InterleaveUpper(tag, v[2], v[3]));
      v[0] = hn::BitCast(tag, hn::InterleaveLower(pairs, a, c));
      v[1] = hn::BitCast(tag, hn::InterleaveUpper(pairs, a, c));
      v[2] = hn::BitCast(tag, hn::InterleaveLower(pairs, b, d));
      v[3] = hn::BitCast(tag, hn::InterleaveUpper(pairs, b, d));
    }
  }

  // The blocks of 128 bits of kBlocks vectors that lie `kInBlock` apart.
  static HWY_INLINE void turn_blocks(V* v) {
    [[maybe_unused]] constexpr int s = kInBlock;
    [[maybe_unused]] const Tag tag;
#if HWY_MAX_BYTES >= 32
    if constexpr (kBlocks == 2) {
      const V lower = hn::ConcatLowerLower(tag, v[s], v[0]);
      v[s] = hn::ConcatUpperUpper(tag, v[s], v[0]);
      v[0] = lower;
    }
#endif
#if HWY_MAX_BYTES >= 64
    if constexpr (kBlocks == 4) {
      const V even = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(v[s]), v[0]),
              odd = hn::OddEvenBlocks(v[s], hn::SwapAdjacentBlocks(v[0])),
              more_even = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(v[3 * s]), v[2 * s]),
              more_odd = hn::OddEvenBlocks(v[3 * s], hn::SwapAdjacentBlocks(v[2 * s]));
      v[0] = hn::ConcatLowerLower(tag, more_even, even);
      v[s] = hn::ConcatLowerLower(tag, more_odd, odd);
      v[2 * s] = hn::ConcatUpperUpper(tag, more_even, even);
      v[3 * s] = hn::ConcatUpperUpper(tag, more_odd, odd);
    }
#endif
  }

  // kLanes columns of kLanes rows, column by column to lines `pitch` elements apart.
  static HWY_INLINE void turn(std::byte* const* rows, int64_t offset, T* to, int64_t pitch) {
    const Tag tag;
    V v[kLanes];
    for (int i = 0; i < kLanes; ++i) v[i] = hn::LoadU(tag, reinterpret_cast<const T*>(rows[i] + offset));
    for (int i = 0; i < kLanes; i += kInBlock) turn_lanes(v + i);
    for (int i = 0; i < kInBlock; ++i) turn_blocks(v + i);
    for (int i = 0; i < kLanes; ++i) hn::StoreU(v[i], tag, to + i * pitch);
  }
};

// What was collected leaves in one long run, or in one per column. The lines at both ends of a run belong to its neighbours too
// and cannot bypass the caches: they are asked for early, so that the stores behind them need not wait for them.
struct Runs {
  std::byte* to;
  int64_t step, bytes, count;
  bool past_caches;

  void expect() const {
    if (!past_caches) return;
    for (int64_t i = 0; i < count; ++i) {
      __builtin_prefetch(to + i * step, 1);
      __builtin_prefetch(to + i * step + bytes - 1, 1);
    }
  }
  void write(const std::byte* from, int64_t pitch) const {
    for (int64_t i = 0; i < count; ++i) {
      if (past_caches) {
        table().stream(to + i * step, from + i * pitch, bytes);
      } else {
        std::memcpy(to + i * step, from + i * pitch, static_cast<size_t>(bytes));
      }
    }
  }
};

template <class T>
void transpose(const Panel& panel) {
  using S = Square<T>;
  constexpr int64_t kSize = sizeof(T);
  alignas(64) T collected[S::kLanes * (kPanelRows + 64 / kSize)];
  const bool dense = panel.to_step == panel.row_count * kSize;
  // Else one line more than the rows, so that equal places of the lines do not share a set of the cache.
  const int64_t pitch = dense ? panel.row_count : kPanelRows + 64 / kSize;
  for (int64_t column = 0; column < panel.columns; column += S::kLanes) {
    const int64_t width = std::min<int64_t>(S::kLanes, panel.columns - column), offset = column * kSize;
    const int64_t bytes = panel.row_count * kSize;
    const Runs runs = {panel.to + column * panel.to_step, panel.to_step, dense ? width * bytes : bytes, dense ? 1 : width,
                       panel.past_caches};
    runs.expect();
    int64_t row = 0;
    if (width == S::kLanes) {
      for (; row + S::kLanes <= panel.row_count; row += S::kLanes) S::turn(panel.rows + row, offset, collected + row, pitch);
    }
    for (; row < panel.row_count; ++row) {
      for (int64_t i = 0; i < width; ++i) std::memcpy(&collected[i * pitch + row], panel.rows[row] + offset + i * kSize, kSize);
    }
    runs.write(reinterpret_cast<const std::byte*>(collected), pitch * kSize);
  }
}

void transposes(Builder& builder) { builder.set_transposes(&transpose<uint32_t>, &transpose<uint64_t>); }

}  // namespace manycore::kernel::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(transposes);
void fill_transpose(Builder& builder) { HWY_DYNAMIC_DISPATCH(transposes)(builder); }
}  // namespace manycore::kernel
#endif
