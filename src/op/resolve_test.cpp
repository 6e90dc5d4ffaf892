#include "op/resolve.h"

#include <gtest/gtest.h>

#include <string>

#include "manycore/errors.h"

namespace manycore::op {
namespace {

constexpr OperandType kWeakInteger{DType::kInt64, Weak::kInteger};
constexpr OperandType kWeakFloat{DType::kFloat64, Weak::kFloat};
constexpr OperandType kWeakComplex{DType::kComplex128, Weak::kComplex};

Signature found(Op op, std::initializer_list<OperandType> inputs) {
  Signature signature{};
  EXPECT_TRUE(find_signature(op, std::span(inputs.begin(), inputs.size()), &signature)) << info(op).name;
  return signature;
}

std::string message(Op op, std::initializer_list<OperandType> inputs, std::optional<DType> dtype = {},
                    Casting casting = Casting::kSameKind) {
  try {
    resolve(op, std::span(inputs.begin(), inputs.size()), dtype, casting);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

constexpr DType dtype_at(int i) { return static_cast<DType>(i); }

TEST(Resolve, add_of_every_pair_of_dtypes_has_their_promoted_dtype) {
  for (int a = 0; a < kDTypeCount; ++a) {
    for (int b = 0; b < kDTypeCount; ++b) {
      const Signature s = found(Op::add, {{dtype_at(a)}, {dtype_at(b)}});
      EXPECT_EQ(s.outputs[0], promote(dtype_at(a), dtype_at(b))) << name_of(dtype_at(a)) << " " << name_of(dtype_at(b));
      EXPECT_EQ(s.inputs[0], s.outputs[0]);
      EXPECT_EQ(s.inputs[1], s.outputs[0]);
    }
  }
}

TEST(Resolve, a_bare_number_takes_the_dtype_of_the_array_unless_its_kind_is_higher) {
  EXPECT_EQ(found(Op::add, {{DType::kInt8}, kWeakInteger}).outputs[0], DType::kInt8);
  EXPECT_EQ(found(Op::add, {{DType::kBool}, kWeakInteger}).outputs[0], DType::kInt64);
  EXPECT_EQ(found(Op::add, {{DType::kFloat16}, kWeakFloat}).outputs[0], DType::kFloat16);
  EXPECT_EQ(found(Op::add, {{DType::kInt8}, kWeakFloat}).outputs[0], DType::kFloat64);
  EXPECT_EQ(found(Op::add, {{DType::kFloat32}, kWeakComplex}).outputs[0], DType::kComplex64);
  EXPECT_EQ(found(Op::add, {kWeakInteger, kWeakFloat}).outputs[0], DType::kFloat64);
}

TEST(Resolve, integers_divide_as_float64_and_small_ones_have_small_roots) {
  EXPECT_EQ(found(Op::divide, {{DType::kInt8}, {DType::kInt8}}).outputs[0], DType::kFloat64);
  EXPECT_EQ(found(Op::divide, {{DType::kInt8}, {DType::kFloat16}}).outputs[0], DType::kFloat16);
  EXPECT_EQ(found(Op::sqrt, {{DType::kInt8}}).outputs[0], DType::kFloat16);
  EXPECT_EQ(found(Op::sqrt, {{DType::kUInt16}}).outputs[0], DType::kFloat32);
  EXPECT_EQ(found(Op::absolute, {{DType::kComplex64}}).outputs[0], DType::kFloat32);
}

TEST(Resolve, int64_and_uint64_compare_in_their_own_loop) {
  const Signature s = found(Op::less, {{DType::kInt64}, {DType::kUInt64}});
  EXPECT_EQ(s.inputs[0], DType::kInt64);
  EXPECT_EQ(s.inputs[1], DType::kUInt64);
  EXPECT_EQ(s.outputs[0], DType::kBool);
}

TEST(Resolve, refusals_are_in_the_words_of_numpy) {
  EXPECT_EQ(message(Op::bitwise_and, {{DType::kFloat64}, {DType::kFloat64}}),
            "ufunc 'bitwise_and' not supported for the input types, and the inputs could not be safely coerced to any supported "
            "types according to the casting rule ''safe''");
  EXPECT_EQ(message(Op::subtract, {{DType::kBool}, {DType::kBool}}),
            "numpy boolean subtract, the `-` operator, is not supported, use the bitwise_xor, the `^` operator, or the "
            "logical_xor function instead.");
  EXPECT_EQ(message(Op::gcd, {{DType::kFloat64}, {DType::kInt8}}),
            "ufunc 'gcd' did not contain a loop with signature matching types (<class 'numpy.dtypes.Float64DType'>, <class "
            "'numpy.dtypes.Int8DType'>) -> None");
  EXPECT_EQ(message(Op::add, {{DType::kFloat64}, {DType::kFloat64}}, DType::kInt64),
            "Cannot cast ufunc 'add' input 0 from dtype('float64') to dtype('int64') with casting rule 'same_kind'");
  EXPECT_EQ(message(Op::sqrt, {{DType::kInt64}}, DType::kInt32),
            "No loop matching the specified signature and casting was found for ufunc sqrt");
  try {
    check_output_cast(Op::add, 0, DType::kFloat64, DType::kInt64, Casting::kSameKind);
    ADD_FAILURE() << "cast allowed";
  } catch (const UserError& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCasting);
    EXPECT_STREQ(error.what(),
                 "Cannot cast ufunc 'add' output from dtype('float64') to dtype('int64') with casting rule 'same_kind'");
  }
}

TEST(Resolve, every_operation_is_found_by_its_name) {
  for (int i = 0; i < kOpCount; ++i) {
    Op op;
    ASSERT_TRUE(find(info(static_cast<Op>(i)).name, &op));
    EXPECT_EQ(static_cast<int>(op), i);
  }
  Op op;
  EXPECT_FALSE(find("no such operation", &op));
}

}  // namespace
}  // namespace manycore::op
