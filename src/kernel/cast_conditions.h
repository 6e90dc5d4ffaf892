// May casting an element report a floating point condition? One answer for operations that run at once and for recorded ones.
#pragma once

#include "manycore/dtype.h"

namespace manycore::kernel {

inline bool cast_may_report(DType from, DType to) {
  if (from == to || !(is_inexact(from) || to == DType::kFloat16)) return false;
  // Of one number: a complex element holds two.
  const auto width = [](DType dtype) { return item_size(dtype) / (is_complex(dtype) ? 2 : 1); };
  // 65535 is beyond float16 though no wider than it.
  return !is_inexact(to) || width(to) < width(from) || to == DType::kFloat16;
}

}  // namespace manycore::kernel
