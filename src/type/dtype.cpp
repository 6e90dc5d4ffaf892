#include "manycore/dtype.h"

#include <algorithm>

namespace manycore {
namespace {

constexpr const char* kNames[kDTypeCount] = {"bool",   "int8",   "int16",   "int32",   "int64",   "uint8",     "uint16",
                                             "uint32", "uint64", "float16", "float32", "float64", "complex64", "complex128"};

// The floating type that holds every value of an integer type (int64 and uint64 excepted: float64 is the largest there is).
constexpr int64_t float_bytes_for(DType dtype) {
  if (kind_of(dtype) == 'f') return item_size(dtype);
  if (kind_of(dtype) == 'c') return item_size(dtype) / 2;
  if (kind_of(dtype) == 'b') return 2;
  return std::min<int64_t>(8, item_size(dtype) * 2);
}

constexpr DType float_of(int64_t bytes) { return bytes <= 2 ? DType::kFloat16 : bytes == 4 ? DType::kFloat32 : DType::kFloat64; }

constexpr DType signed_of(int64_t bytes) {
  return bytes == 1 ? DType::kInt8 : bytes == 2 ? DType::kInt16 : bytes == 4 ? DType::kInt32 : DType::kInt64;
}

// Position of a kind in NumPy's order for same_kind casts.
constexpr int kind_rank(DType dtype) {
  switch (kind_of(dtype)) {
    case 'b':
      return 0;
    case 'u':
      return 1;
    case 'i':
      return 2;
    case 'f':
      return 3;
    default:
      return 4;
  }
}

constexpr DType promote_rule(DType a, DType b) {
  if (a == b || b == DType::kBool) return a;
  if (a == DType::kBool) return b;
  if (is_complex(a) || is_complex(b))
    return std::max(float_bytes_for(a), float_bytes_for(b)) <= 4 ? DType::kComplex64 : DType::kComplex128;
  if (is_floating(a) || is_floating(b)) return float_of(std::max(float_bytes_for(a), float_bytes_for(b)));
  if (kind_of(a) == kind_of(b)) return item_size(a) >= item_size(b) ? a : b;
  DType with_sign = is_signed_integer(a) ? a : b;
  DType without = is_signed_integer(a) ? b : a;
  if (item_size(with_sign) > item_size(without)) return with_sign;
  return item_size(without) == 8 ? DType::kFloat64 : signed_of(item_size(without) * 2);
}

struct PromotionTable {
  DType entry[kDTypeCount][kDTypeCount];
};

constexpr PromotionTable kPromotion = [] {
  PromotionTable table{};
  for (int a = 0; a < kDTypeCount; ++a)
    for (int b = 0; b < kDTypeCount; ++b) table.entry[a][b] = promote_rule(static_cast<DType>(a), static_cast<DType>(b));
  return table;
}();

}  // namespace

const char* name_of(DType dtype) { return kNames[static_cast<int>(dtype)]; }

DType promote(DType a, DType b) { return kPromotion.entry[static_cast<int>(a)][static_cast<int>(b)]; }

DType promote_all(std::span<const DType> dtypes) {
  DType common = dtypes[0];
  for (DType dtype : dtypes) {
    if (is_inexact(dtype)) common = is_inexact(common) ? promote(common, dtype) : dtype;
  }
  for (DType dtype : dtypes) common = promote(common, dtype);
  return common;
}

bool can_cast(DType from, DType to, Casting casting) {
  switch (casting) {
    case Casting::kNo:
    case Casting::kEquiv:
      return from == to;
    case Casting::kSafe:
      return promote(from, to) == to;
    case Casting::kSameKind:
      return kind_rank(from) <= kind_rank(to);
    case Casting::kUnsafe:
      return true;
  }
  return false;
}

const char* name_of(Casting casting) {
  switch (casting) {
    case Casting::kNo:
      return "no";
    case Casting::kEquiv:
      return "equiv";
    case Casting::kSafe:
      return "safe";
    case Casting::kSameKind:
      return "same_kind";
    case Casting::kUnsafe:
      return "unsafe";
  }
  return "unknown";
}

}  // namespace manycore
