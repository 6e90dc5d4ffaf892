// The fourteen element types of the engine, in NumPy's promotion-friendly order. Arrays of any other dtype stay NumPy's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "manycore/export.h"

namespace manycore {

// IEEE binary16 as bits; arithmetic happens in float and is rounded back.
struct Half {
  uint16_t bits;
};

enum class DType : uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kComplex64,
  kComplex128
};
inline constexpr int kDTypeCount = 14;

// NumPy's kind letters: 'b' bool, 'i' signed, 'u' unsigned, 'f' floating, 'c' complex.
namespace detail {
inline constexpr uint8_t kItemSizes[kDTypeCount] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8, 8, 16};
inline constexpr char kKinds[kDTypeCount] = {'b', 'i', 'i', 'i', 'i', 'u', 'u', 'u', 'u', 'f', 'f', 'f', 'c', 'c'};
}  // namespace detail

constexpr int64_t item_size(DType dtype) { return detail::kItemSizes[static_cast<int>(dtype)]; }
constexpr char kind_of(DType dtype) { return detail::kKinds[static_cast<int>(dtype)]; }
constexpr bool is_floating(DType dtype) { return kind_of(dtype) == 'f'; }
constexpr bool is_complex(DType dtype) { return kind_of(dtype) == 'c'; }
constexpr bool is_inexact(DType dtype) { return is_floating(dtype) || is_complex(dtype); }
constexpr bool is_signed_integer(DType dtype) { return kind_of(dtype) == 'i'; }
constexpr bool is_unsigned_integer(DType dtype) { return kind_of(dtype) == 'u'; }
constexpr bool is_integer(DType dtype) { return is_signed_integer(dtype) || is_unsigned_integer(dtype); }

// "float64", as NumPy spells it.
MANYCORE_API const char* name_of(DType dtype);

// NumPy 2 promotion of two strong dtypes (NEP 50): int64 with uint64 gives float64, int8 with float16 gives float16, ...
MANYCORE_API DType promote(DType a, DType b);
// Of one or more, in NumPy's order: integers meet the floats before each other, so that int8, uint8 and float16 give float16.
MANYCORE_API DType promote_all(std::span<const DType> dtypes);

enum class Casting : uint8_t { kNo, kEquiv, kSafe, kSameKind, kUnsafe };

// numpy.can_cast between dtypes.
MANYCORE_API bool can_cast(DType from, DType to, Casting casting);
MANYCORE_API const char* name_of(Casting casting);  // "same_kind"

}  // namespace manycore
