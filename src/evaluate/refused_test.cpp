#include "evaluate/refused.h"

#include <gtest/gtest.h>

#include "evaluate/assign.h"
#include "evaluate/reduce.h"
#include "manycore/errors.h"

namespace manycore::evaluate {
namespace {

template <class Work>
bool throws(Work work) {
  try {
    work();
    return false;
  } catch (const UserError&) {
    return true;
  }
}

const Dims kShapes[] = {{}, {1}, {3}, {4}, {1, 3}, {2, 3}, {2, 1}, {3, 2}, {0}, {2, 0}, {1, 1, 3}, {4, 1, 3}};

TEST(Refused, ShapesMeetWhereOperandsBroadcast) {
  for (const Dims& a : kShapes) {
    for (const Dims& b : kShapes) {
      EXPECT_EQ(shapes_meet(a, b), !throws([&] { broadcast_shapes(a, b); })) << shape_text(a) << shape_text(b);
    }
  }
}

TEST(Refused, AxesFitWhereTheyCanBeNormalized) {
  for (const Dims& axes :
       {Dims{0}, Dims{1}, Dims{2}, Dims{-1}, Dims{-2}, Dims{-3}, Dims{0, 1}, Dims{0, 0}, Dims{1, -1}, Dims{}}) {
    EXPECT_EQ(axes_fit(axes, 2), !throws([&] { normalize_axes(axes, 2); })) << shape_text(axes);
  }
  EXPECT_TRUE(axes_fit(std::nullopt, 0));
}

TEST(Refused, WhatDoesNotFitIsRefusedByTheOperation) {
  int refused = 0;
  for (const DType dtype : {DType::kBool, DType::kInt32, DType::kFloat64, DType::kComplex128}) {
    for (const op::Op operation : {op::Op::add, op::Op::subtract, op::Op::bitwise_and, op::Op::less}) {
      for (const Dims& a : kShapes) {
        for (const Dims& b : kShapes) {
          const Array left = Array::empty(a, dtype), right = Array::empty(b, dtype), out = Array::empty(a, DType::kFloat64);
          for (Array part : {left, right}) fill(part.view(), Scalar::integer(1));
          const Operand operands[] = {left, right};
          for (const Array* output : {static_cast<const Array*>(nullptr), &out}) {
            ElementwiseOptions options;
            options.outputs[0] = output;
            if (elementwise_fits(operation, operands, output)) continue;
            ++refused;
            EXPECT_TRUE(throws([&] { elementwise(operation, operands, options); })) << shape_text(a) << shape_text(b);
          }
        }
      }
    }
  }
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace manycore::evaluate
