// Programs written by hand, for the tests of this room and those that read programs. An array made here has memory or only its promise; the
// names in a test are the ones who hold it. Test code only.
#pragma once

#include <utility>

#include "manycore/array.h"
#include "program/program.h"

namespace manycore::program_test {

using program::Instruction;
using program::Kind;
using program::Operand;

inline Array promised(const Dims& shape, DType dtype = DType::kFloat64) {
  BufferRef buffer = BufferRef::adopt(Buffer::promise(checked_size(shape, item_size(dtype)) * item_size(dtype)));
  View view{buffer->data(), dtype, shape, c_strides(shape, item_size(dtype))};
  return Array(std::move(buffer), std::move(view));
}

// 0, 1, 2, ...
inline Array counted(const Dims& shape) {
  Array array = Array::empty(shape, DType::kFloat64);
  double next = 0;
  for (double& value : array.elements<double>()) value = next++;
  return array;
}

inline Operand operand(const Array& array) { return {array.buffer(), array.described(), {}}; }
inline Operand number(double value) { return {{}, {}, Scalar::of(DType::kFloat64, value)}; }

inline Instruction elementwise(op::Op operation, const Array& output, Operand a, Operand b) {
  Instruction instruction;
  instruction.operation = operation;
  const op::OperandType types[] = {{a.is_number() ? DType::kFloat64 : a.view.dtype},
                                   {b.is_number() ? DType::kFloat64 : b.view.dtype}};
  instruction.signature = op::resolve(operation, types);
  instruction.input_count = 2;
  instruction.inputs[0] = std::move(a);
  instruction.inputs[1] = std::move(b);
  instruction.output = operand(output);
  return instruction;
}

inline Instruction reading(Kind kind, const Array& input) {
  Instruction instruction;
  instruction.kind = kind;
  instruction.input_count = 1;
  instruction.inputs[0] = operand(input);
  return instruction;
}

inline Instruction assign(const Array& output, const Array& input) {
  Instruction instruction = reading(Kind::kAssign, input);
  instruction.output = operand(output);
  return instruction;
}

// Over the last axis, into `output` without it.
inline Instruction sum_of_rows(const Array& output, const Array& input) {
  Instruction instruction = reading(Kind::kReduce, input);
  View spread = output.described();
  spread.shape.push_back(input.shape()[input.ndim() - 1]);
  spread.strides.push_back(0);
  instruction.output = {output.buffer(), std::move(spread), {}};
  return instruction;
}

}  // namespace manycore::program_test
