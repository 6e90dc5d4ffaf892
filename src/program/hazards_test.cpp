#include "program/hazards.h"

#include <gtest/gtest.h>

#include "program/by_hand.h"

namespace manycore::program {
namespace {

using op::Op;
using namespace program_test;

const Dims kShape{100, 40};

struct Hazards : testing::Test {
  Array a = promised(kShape), b = promised(kShape), c = promised(kShape);
  Instruction writes_b = elementwise(Op::add, b, operand(a), number(1));
};

TEST_F(Hazards, instructions_that_only_read_the_same_are_apart) {
  EXPECT_EQ(meet(writes_b, elementwise(Op::multiply, c, operand(a), operand(a))), Meeting::kApart);
  EXPECT_EQ(meet(writes_b, elementwise(Op::multiply, c, operand(a.slice(0, 99, std::nullopt, -1)), number(2))), Meeting::kApart);
}

TEST_F(Hazards, reading_or_writing_the_same_elements_is_aligned) {
  EXPECT_EQ(meet(writes_b, elementwise(Op::multiply, c, operand(b), number(2))), Meeting::kAligned);
  EXPECT_EQ(meet(writes_b, elementwise(Op::multiply, b, operand(c), number(2))), Meeting::kAligned);
  EXPECT_EQ(meet(writes_b, elementwise(Op::multiply, a, operand(c), number(2))), Meeting::kAligned);
}

TEST_F(Hazards, elements_at_other_places_are_crossed) {
  const Array reversed = b.slice(0, std::nullopt, std::nullopt, -1);
  EXPECT_EQ(meet(writes_b, elementwise(Op::multiply, c, operand(reversed), number(2))), Meeting::kCrossed);
  EXPECT_EQ(meet(writes_b, elementwise(Op::multiply, reversed, operand(c), number(2))), Meeting::kCrossed);
  const Array upper = promised({99, 40});
  EXPECT_EQ(meet(writes_b, assign(upper, b.slice(0, 1, 100))), Meeting::kCrossed);
  // A write over what is still to be read.
  EXPECT_EQ(meet(writes_b, assign(a.slice(0, 1, 100), upper)), Meeting::kCrossed);
}

TEST_F(Hazards, interleaved_views_that_share_no_byte_are_apart) {
  const Array even = b.slice(1, 0, 40, 2), odd = b.slice(1, 1, 40, 2), source = promised({100, 20});
  EXPECT_EQ(meet(assign(even, source), assign(odd, source)), Meeting::kApart);
  EXPECT_EQ(meet(assign(even, source), elementwise(Op::add, even, operand(odd), number(1))), Meeting::kAligned);
}

TEST_F(Hazards, the_same_bytes_as_another_dtype_are_crossed) {
  View integers = b.described();
  integers.dtype = DType::kInt64;
  EXPECT_EQ(meet(writes_b, assign(promised(kShape, DType::kInt64), b.with_view(integers))), Meeting::kCrossed);
}

TEST_F(Hazards, a_reduction_may_end_what_computes_its_input_and_nothing_else) {
  const Array sums = promised({100});
  const Instruction sum = sum_of_rows(sums, b);
  EXPECT_EQ(meet(writes_b, sum), Meeting::kAligned);
  EXPECT_EQ(meet(sum, elementwise(Op::add, c, operand(b), number(1))), Meeting::kApart);
  EXPECT_EQ(meet(sum, elementwise(Op::add, b, operand(c), number(1))), Meeting::kCrossed);
  Dims shape = kShape;
  const Array spread = sums.reshape({100, 1}).broadcast_to(shape);
  EXPECT_EQ(meet(sum, elementwise(Op::add, c, operand(a), operand(spread))), Meeting::kCrossed);
}

}  // namespace
}  // namespace manycore::program
