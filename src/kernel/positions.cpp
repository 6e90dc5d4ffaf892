#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernel/positions.cpp"
#include "kernel/positions.h"

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

static bool is_zero(const uint8_t* block64) {
  uint64_t words[8];
  std::memcpy(words, block64, sizeof words);
  return ((words[0] | words[1]) | (words[2] | words[3]) | (words[4] | words[5]) | (words[6] | words[7])) == 0;
}

// Every vector of positions is compressed and stored whole; the next one overwrites what is not a position.
static int64_t find_positions(const uint8_t* mask, int64_t n, uint32_t* positions) {
  const hn::CappedTag<uint32_t, 16> tag;
  const hn::Rebind<uint8_t, decltype(tag)> bytes;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(tag));
  int64_t found = 0, i = 0;
  for (; i + 64 <= n; i += 64) {
    if (is_zero(mask + i)) continue;
    for (int64_t k = i; k < i + 64; k += lanes) {
      const auto chosen = hn::Ne(hn::PromoteTo(tag, hn::LoadU(bytes, mask + k)), hn::Zero(tag));
      hn::StoreU(hn::Compress(hn::Iota(tag, static_cast<uint32_t>(k)), chosen), tag, positions + found);
      found += static_cast<int64_t>(hn::CountTrue(tag, chosen));
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
