// float16 to float32 and back, as bit arithmetic that compilers vectorise. To float is exact (subnormals, infinities and NaN
// payloads kept); back rounds to nearest even, overflows to infinity above 65519, keeps the top NaN payload bits.
#pragma once

#include <bit>
#include <cstdint>

#include "manycore/dtype.h"

namespace manycore {

inline float half_to_float(Half half) {
  const uint32_t magnitude = static_cast<uint32_t>(half.bits & 0x7fff) << 13;
  // Read as float32 the value is 2^112 times too small; the product is exact, also where either side is subnormal.
  uint32_t bits = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  bits |= magnitude >= 0x0f800000u ? 0x7f800000u : 0u;  // infinity and NaN keep the largest exponent
  return std::bit_cast<float>(bits | static_cast<uint32_t>(half.bits & 0x8000) << 16);
}

inline Half float_to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  const uint32_t sign = bits >> 16 & 0x8000u;
  // Below 2^-14: adding 0.5 leaves an ulp of 2^-24, the step of float16's subnormals, and rounds to nearest even.
  const uint32_t small = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  const uint32_t payload = magnitude >> 13 & 0x3ffu;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7c00u | (payload != 0 ? payload : 1u) : 0x7c00u;
  const uint32_t finite = magnitude < 0x38800000u ? small : normal;
  return Half{static_cast<uint16_t>(sign | (magnitude >= 0x47800000u ? special : finite))};
}

// Rounded once: through float32, made odd where that step dropped bits, so that the second rounding sees them.
inline Half double_to_half(double value) {
  float narrow = static_cast<float>(value);
  uint32_t bits = std::bit_cast<uint32_t>(narrow);
  if (static_cast<double>(narrow) != value && value == value && (bits & 0x7fffffffu) < 0x7f800000u) {
    const bool away = (static_cast<double>(narrow) < 0 ? -static_cast<double>(narrow) : static_cast<double>(narrow)) >
                      (value < 0 ? -value : value);
    if (away && (bits & 0x7fffffffu) != 0) --bits;
    bits |= 1;
  }
  return float_to_half(std::bit_cast<float>(bits));
}

}  // namespace manycore
