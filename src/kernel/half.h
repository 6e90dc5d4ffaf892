// float16 back from float32 with the conditions that the F16C instructions report: overflow and underflow of the rounding.
#pragma once

#include "kernel/float_status.h"
#include "type/half.h"

namespace manycore::kernel {

inline Half to_half(float value) {
  const Half half = float_to_half(value);
  const unsigned magnitude = half.bits & 0x7fffu;
  if (magnitude == 0x7c00u && (std::bit_cast<uint32_t>(value) & 0x7fffffffu) != 0x7f800000u) raise_status(kOverflowBit);
  if (magnitude < 0x400u && half_to_float(half) != value) raise_status(kUnderflowBit);
  return half;
}

}  // namespace manycore::kernel
