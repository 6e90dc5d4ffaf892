#include "kernel/pcg64.h"

namespace manycore::kernel {
namespace {

using Word = unsigned __int128;

constexpr Word kMultiplier = (Word{2549297995355413924ULL} << 64) | 4865540595714422341ULL;  // O'Neill's default for 128 bits

inline double uniform(Word state) {
  const auto high = static_cast<uint64_t>(state >> 64), low = static_cast<uint64_t>(state);
  const uint64_t mixed = high ^ low;
  const auto turn = static_cast<unsigned>(high >> 58);
  const uint64_t draw = (mixed >> turn) | (mixed << ((64 - turn) & 63));
  return static_cast<double>(draw >> 11) * (1.0 / 9007199254740992.0);
}

}  // namespace

Pcg64 advanced(const Pcg64& generator, uint64_t steps) {
  Word multiplier = kMultiplier, increment = generator.increment, total_multiplier = 1, total_increment = 0;
  for (; steps != 0; steps >>= 1) {
    if (steps & 1) {
      total_multiplier *= multiplier;
      total_increment = total_increment * multiplier + increment;
    }
    increment *= multiplier + 1;
    multiplier *= multiplier;
  }
  return {generator.state * total_multiplier + total_increment, generator.increment};
}

void fill_uniform(const Pcg64& generator, double low, double range, double* out, int64_t n) {
  // Four interleaved streams, each four steps at a time: the 128-bit products of one step would wait for one another.
  constexpr Word kSquare = kMultiplier * kMultiplier, kFourth = kSquare * kSquare;
  const Word increment = generator.increment * (1 + kMultiplier + kSquare + kSquare * kMultiplier);
  Word lane[4];
  for (int k = 0; k < 4; ++k) lane[k] = advanced(generator, static_cast<uint64_t>(k) + 1).state;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; ++k) {
      out[i + k] = low + range * uniform(lane[k]);
      lane[k] = lane[k] * kFourth + increment;
    }
  }
  for (int k = 0; i < n; ++i, ++k) out[i] = low + range * uniform(lane[k]);
}

}  // namespace manycore::kernel
