// One float16 to float32 and back in integer arithmetic, rounding to nearest even; the bits that the F16C instructions give.
// to_half reports overflow and underflow in the floating point status as they do.
#pragma once

#include <bit>
#include <cstdint>

#include "kernel/float_status.h"
#include "manycore/dtype.h"

namespace manycore::kernel {

inline float from_half(Half half) {
  const uint32_t sign = uint32_t(half.bits & 0x8000u) << 16;
  const uint32_t exponent = half.bits >> 10 & 31, fraction = half.bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13 | (fraction ? 0x400000u : 0));
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = float(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

inline Half to_half(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = bits >> 16 & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {uint16_t(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu))};
  if (magnitude >= 0x477ff000u) {  // rounds to 2^16 or is infinite
    if (magnitude != 0x7f800000u) raise_status(kOverflowBit);
    return {uint16_t(sign | 0x7c00u)};
  }
  if (magnitude >= 0x38800000u) {  // normal: drop 13 bits, ties to even
    const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1);
    return {uint16_t(sign | (rounded - 0x38000000u) >> 13)};
  }
  if (magnitude < 0x33000000u) {  // below half of the smallest subnormal
    if (magnitude != 0) raise_status(kUnderflowBit);
    return {sign};
  }
  const uint32_t exponent = magnitude >> 23, fraction = (magnitude & 0x7fffffu) | 0x800000u;
  const uint32_t shift = 126 - exponent;  // 14 to 24: down to units of 2^-24
  const uint32_t kept = fraction >> shift, rest = fraction & ((1u << shift) - 1), tie = 1u << (shift - 1);
  if (rest != 0) raise_status(kUnderflowBit);
  return {uint16_t(sign | (kept + (rest > tie || (rest == tie && (kept & 1)))))};
}

}  // namespace manycore::kernel
