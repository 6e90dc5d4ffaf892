#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/positions.cpp"
#include "kernel/positions.h"

#include <bit>
#include <cstring>

#include "kernel/dispatch.h"

MANYCORE_TARGET_BEGIN

namespace hn = hwy::HWY_NAMESPACE;

// Blocks keep their counts in bytes, so that the compiler adds a whole vector at a time.
static int64_t count_bytes(const uint8_t* mask, int64_t n) {
  constexpr int64_t kLanes = 64, kSteps = 255;
  int64_t total = 0, i = 0;
  while (i + kLanes <= n) {
    const int64_t steps = (n - i) / kLanes < kSteps ? (n - i) / kLanes : kSteps;
    uint8_t lane[kLanes] = {};
    for (int64_t s = 0; s < steps; ++s, i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) lane[k] = static_cast<uint8_t>(lane[k] + (mask[i + k] != 0));
    }
    for (int64_t k = 0; k < kLanes; ++k) total += lane[k];
  }
  for (; i < n; ++i) total += mask[i] != 0;
  return total;
}

// Bit i is set where byte i of 64 is nonzero.
static uint64_t nonzero_bits(const uint8_t* block) {
  const hn::CappedTag<uint8_t, 64> tag;
  constexpr size_t kLanes = hn::MaxLanes(hn::CappedTag<uint8_t, 64>());
  uint64_t bits = 0;
  if constexpr (kLanes >= 8) {
    uint8_t bytes[8];
    for (size_t k = 0; k < 64; k += kLanes)
      hn::StoreMaskBits(tag, hn::Ne(hn::LoadU(tag, block + k), hn::Zero(tag)), bytes + k / 8);
    std::memcpy(&bits, bytes, sizeof bits);
  } else {
    for (size_t k = 0; k < 64; ++k) bits |= static_cast<uint64_t>(block[k] != 0) << k;
  }
  return bits;
}

// Sparse blocks are read bit by bit. In dense ones every vector of positions is compressed and stored whole; the next one
// overwrites what is not a position.
static int64_t find_positions(const uint8_t* mask, int64_t n, uint32_t* positions) {
  const hn::CappedTag<uint32_t, 16> tag;
  const hn::Rebind<uint8_t, decltype(tag)> bytes;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  const uint64_t low = (uint64_t{1} << lanes) - 1;
  int64_t found = 0, i = 0;
  for (; i + 64 <= n; i += 64) {
    uint64_t bits = nonzero_bits(mask + i);
    if (std::popcount(bits) <= 8) {
      for (; bits != 0; bits &= bits - 1) positions[found++] = static_cast<uint32_t>(i + std::countr_zero(bits));
      continue;
    }
    for (int64_t k = i; k < i + 64; k += lanes, bits >>= lanes) {
      const auto chosen = hn::Ne(hn::PromoteTo(tag, hn::LoadU(bytes, mask + k)), hn::Zero(tag));
      hn::StoreU(hn::Compress(hn::Iota(tag, static_cast<uint32_t>(k)), chosen), tag, positions + found);
      found += std::popcount(bits & low);
    }
  }
  for (; i < n; ++i) {
    positions[found] = static_cast<uint32_t>(i);
    found += mask[i] != 0;
  }
  return found;
}

MANYCORE_TARGET_END

#if HWY_ONCE
namespace manycore::kernel {
HWY_EXPORT(count_bytes);
HWY_EXPORT(find_positions);
int64_t count_true(const uint8_t* mask, int64_t n) { return HWY_DYNAMIC_DISPATCH(count_bytes)(mask, n); }
int64_t true_positions(const uint8_t* mask, int64_t n, uint32_t* positions) {
  return HWY_DYNAMIC_DISPATCH(find_positions)(mask, n, positions);
}
}  // namespace manycore::kernel
#endif
