// The tables are what NumPy 2.4's result_type and can_cast answer, row and column in the order of the enumerators.
#include "manycore/dtype.h"

#include <gtest/gtest.h>

#include <string>

namespace manycore {
namespace {

constexpr const char* kPromote[kDTypeCount] = {
    "0123456789abcd", "11234234b9abcd", "22234234baabcd", "33334334bbbbdd", "44444444bbbbdd", "5223456789abcd", "633346678aabcd",
    "744447778bbbdd", "8bbbb8888bbbdd", "99abb9abb9abcd", "aaabbaabbaabcd", "bbbbbbbbbbbbdd", "cccddccddccdcd", "dddddddddddddd",
};
constexpr const char* kSafe[kDTypeCount] = {
    "11111111111111", "01111000011111", "00111000001111", "00011000000101", "00001000000101", "00111111111111", "00011011101111",
    "00001001100101", "00000000100101", "00000000011111", "00000000001111", "00000000000101", "00000000000011", "00000000000001",
};
constexpr const char* kSameKind[kDTypeCount] = {
    "11111111111111", "01111000011111", "01111000011111", "01111000011111", "01111000011111", "01111111111111", "01111111111111",
    "01111111111111", "01111111111111", "00000000011111", "00000000011111", "00000000011111", "00000000000011", "00000000000011",
};

char digit(DType dtype) { return "0123456789abcd"[static_cast<int>(dtype)]; }

TEST(DType, PromotesAsNumpyDoes) {
  for (int a = 0; a < kDTypeCount; ++a)
    for (int b = 0; b < kDTypeCount; ++b)
      EXPECT_EQ(digit(promote(static_cast<DType>(a), static_cast<DType>(b))), kPromote[a][b])
          << name_of(static_cast<DType>(a)) << " " << name_of(static_cast<DType>(b));
}

TEST(DType, CastsAreAllowedAsNumpyAllowsThem) {
  for (int a = 0; a < kDTypeCount; ++a) {
    for (int b = 0; b < kDTypeCount; ++b) {
      auto from = static_cast<DType>(a);
      auto to = static_cast<DType>(b);
      EXPECT_EQ(can_cast(from, to, Casting::kSafe), kSafe[a][b] == '1') << name_of(from) << " " << name_of(to);
      EXPECT_EQ(can_cast(from, to, Casting::kSameKind), kSameKind[a][b] == '1') << name_of(from) << " " << name_of(to);
      EXPECT_EQ(can_cast(from, to, Casting::kEquiv), a == b);
      EXPECT_EQ(can_cast(from, to, Casting::kNo), a == b);
      EXPECT_TRUE(can_cast(from, to, Casting::kUnsafe));
    }
  }
}

TEST(DType, NamesAreNumpysNames) {
  EXPECT_STREQ(name_of(DType::kBool), "bool");
  EXPECT_STREQ(name_of(DType::kUInt16), "uint16");
  EXPECT_STREQ(name_of(DType::kComplex128), "complex128");
  EXPECT_STREQ(name_of(Casting::kSameKind), "same_kind");
}

}  // namespace
}  // namespace manycore
