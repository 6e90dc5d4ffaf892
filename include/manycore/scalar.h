// Scalar: one value with its dtype, and whether it came as a bare Python or C++ number. A weak scalar takes the dtype of the
// arrays it meets (NEP 50); a strong one promotes like an array. A weak integer holds int64, or uint64 above int64's range.
#pragma once

#include <complex>
#include <cstring>

#include "manycore/dtype.h"

namespace manycore {

enum class Weak : uint8_t { kStrong, kInteger, kFloat, kComplex };

struct Scalar {
  DType dtype = DType::kFloat64;
  Weak weak = Weak::kStrong;
  alignas(16) std::byte bytes[16] = {};

  template <class T>
  static Scalar of(DType dtype, T value, Weak weak = Weak::kStrong) {
    Scalar scalar;
    scalar.dtype = dtype;
    scalar.weak = weak;
    std::memcpy(scalar.bytes, &value, sizeof value);
    return scalar;
  }
  static Scalar integer(int64_t value) { return of(DType::kInt64, value, Weak::kInteger); }
  static Scalar real(double value) { return of(DType::kFloat64, value, Weak::kFloat); }
  static Scalar complex(std::complex<double> value) { return of(DType::kComplex128, value, Weak::kComplex); }
  static Scalar boolean(bool value) { return of(DType::kBool, value); }
  template <class T>
  T get() const {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
};

}  // namespace manycore
