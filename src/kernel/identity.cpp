#include "kernel/identity.h"

#include <cstring>

#include "type/half.h"

namespace manycore::kernel {
namespace {

template <class T>
void put(std::byte* value, T number) {
  std::memcpy(value, &number, sizeof number);
}

void put_number(DType dtype, int number, std::byte* value) {
  std::memset(value, 0, 16);
  if (dtype == DType::kFloat16) return put(value, float_to_half(static_cast<float>(number)));
  if (dtype == DType::kFloat32 || dtype == DType::kComplex64) return put(value, static_cast<float>(number));
  if (dtype == DType::kFloat64 || dtype == DType::kComplex128) return put(value, static_cast<double>(number));
  if (number < 0 && dtype != DType::kBool)
    std::memset(value, 0xff, 16);
  else
    put(value, static_cast<int64_t>(number != 0));
}

}  // namespace

bool identity(Reduction reduction, DType to, std::byte* value) {
  switch (reduction) {
    case Reduction::kSum:
    case Reduction::kAny:
    case Reduction::kLogicalXor:
    case Reduction::kBitwiseOr:
    case Reduction::kBitwiseXor:
    case Reduction::kCountNonzero:
      put_number(to, 0, value);
      return true;
    case Reduction::kProd:
    case Reduction::kAll:
      put_number(to, 1, value);
      return true;
    case Reduction::kBitwiseAnd:
      put_number(to, -1, value);
      return true;
    default:
      return false;
  }
}

}  // namespace manycore::kernel
