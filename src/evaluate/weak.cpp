#include "evaluate/weak.h"

#include <cmath>
#include <limits>
#include <string>

#include "evaluate/assign.h"
#include "kernel/float_status.h"
#include "kernel/loops.h"
#include "manycore/errors.h"

namespace manycore::evaluate {
namespace {

struct Range {
  int64_t lowest;
  uint64_t highest;
};
Range range_of(DType dtype) {
  const int bits = static_cast<int>(8 * item_size(dtype));
  if (is_unsigned_integer(dtype)) return {0, ~uint64_t{0} >> (64 - bits)};
  return {-(int64_t{1} << (bits - 2)) * 2, ~uint64_t{0} >> (65 - bits)};
}

[[noreturn]] void fail_range(const Scalar& integer, DType dtype) {
  const bool huge = integer.dtype == DType::kUInt64;
  if (huge && dtype != DType::kUInt64 && dtype != DType::kUInt32)
    throw UserError(ErrorKind::kOverflow, "Python int too large to convert to C long");
  const std::string value = huge ? std::to_string(integer.get<uint64_t>()) : std::to_string(integer.get<int64_t>());
  throw UserError(ErrorKind::kOverflow, "Python integer " + value + " out of bounds for " + name_of(dtype));
}

Scalar by_kernel(const Scalar& value, DType dtype, unsigned* status) {
  Scalar result;
  result.dtype = dtype;
  std::byte source[16];
  std::memcpy(source, value.bytes, sizeof source);
  char* args[2] = {reinterpret_cast<char*>(source), reinterpret_cast<char*>(result.bytes)};
  const int64_t one = 1;
  const int64_t steps[2] = {item_size(value.dtype), item_size(dtype)};
  kernel::clear_status();
  kernel::find_cast(value.dtype, dtype)(args, &one, steps, nullptr);
  if (status) *status |= kernel::read_status();
  return result;
}

Scalar strong_integer(int64_t value) { return Scalar::of(DType::kInt64, value); }

// int(value), as Python converts before it stores.
Scalar whole(double value) {
  if (std::isnan(value)) throw UserError(ErrorKind::kValue, "cannot convert float NaN to integer");
  if (std::isinf(value)) throw UserError(ErrorKind::kOverflow, "cannot convert float infinity to integer");
  const double truncated = std::trunc(value);
  if (truncated >= -0x1p63 && truncated < 0x1p63) return Scalar::integer(static_cast<int64_t>(truncated));
  if (truncated >= 0 && truncated < 0x1p64) {
    return Scalar::of(DType::kUInt64, static_cast<uint64_t>(truncated), Weak::kInteger);
  }
  throw UserError(ErrorKind::kOverflow, "Python int too large to convert to C long");
}

Scalar from_integer(const Scalar& value, DType dtype, unsigned* status) {
  if (is_integer(dtype)) {
    if (side_of_range(value, dtype) != 0) fail_range(value, dtype);
    if (item_size(dtype) == 8) return Scalar::of(dtype, value.get<int64_t>());
    return by_kernel(strong_integer(value.get<int64_t>()), dtype, nullptr);
  }
  if (dtype == DType::kFloat64 && value.dtype == DType::kInt64) {
    return Scalar::of(dtype, static_cast<double>(value.get<int64_t>()));
  }
  // Python makes a float first, which rounds once more than a direct conversion would.
  if (dtype == DType::kBool) return Scalar::boolean(value.get<int64_t>() != 0);
  return by_kernel(by_kernel(value, DType::kFloat64, nullptr), dtype, status);
}

}  // namespace

int side_of_range(const Scalar& integer, DType dtype) {
  const Range range = range_of(dtype);
  if (integer.dtype == DType::kUInt64) return integer.get<uint64_t>() > range.highest ? 1 : 0;
  const int64_t value = integer.get<int64_t>();
  if (value < range.lowest) return -1;
  return value > 0 && static_cast<uint64_t>(value) > range.highest ? 1 : 0;
}

Scalar cast_scalar(const Scalar& value, DType dtype, unsigned* status) {
  switch (value.weak) {
    case Weak::kStrong:
      if (value.dtype == dtype) return value;
      return by_kernel(value, dtype, status);
    case Weak::kInteger:
      return from_integer(value, dtype, status);
    case Weak::kFloat:
      if (dtype == DType::kFloat64) return Scalar::of(dtype, value.get<double>());
      if (is_integer(dtype)) return from_integer(whole(value.get<double>()), dtype, status);
      return by_kernel(value, dtype, status);
    case Weak::kComplex:
      if (is_integer(dtype)) {
        throw UserError(ErrorKind::kType, "int() argument must be a string, a bytes-like object or a real number, not 'complex'");
      }
      if (is_floating(dtype)) {
        throw UserError(ErrorKind::kType, "float() argument must be a string or a real number, not 'complex'");
      }
      return by_kernel(value, dtype, status);
  }
  return value;
}

}  // namespace manycore::evaluate
