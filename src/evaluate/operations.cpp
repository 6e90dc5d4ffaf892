#include "manycore/operations.h"

#include <vector>

#include "evaluate/elementwise.h"
#include "evaluate/matmul.h"
#include "evaluate/reduce.h"
#include "op/op.h"

namespace manycore {
namespace {

evaluate::ReduceOptions over(const Array& a, std::optional<int> axis, bool keepdims) {
  evaluate::ReduceOptions options;
  if (axis) options.axes = evaluate::normalize_axes(Dims{*axis}, a.ndim());
  options.keepdims = keepdims;
  return options;
}

}  // namespace

Array call(std::string_view name, std::initializer_list<Argument> inputs) {
  op::Op operation;
  if (!op::find(name, &operation)) {
    throw UserError(ErrorKind::kValue,
                    "call: unknown operation, expected the name of a NumPy ufunc, got '" + std::string(name) + "'");
  }
  const op::OpInfo& info = op::info(operation);
  if (info.outputs != 1 || info.inputs != static_cast<int>(inputs.size())) {
    throw UserError(ErrorKind::kType, std::string(name) + ": wrong number of arguments, expected " + std::to_string(info.inputs) +
                                          " inputs and 1 output, got " + std::to_string(inputs.size()) + " inputs and " +
                                          std::to_string(info.outputs) + " outputs");
  }
  std::vector<evaluate::Operand> operands;
  operands.reserve(inputs.size());
  for (const Argument& input : inputs) {
    if (input.array != nullptr) {
      operands.emplace_back(*input.array);
    } else {
      operands.emplace_back(input.scalar);
    }
  }
  return evaluate::elementwise(operation, operands);
}

Array sum(const Array& a, std::optional<int> axis, bool keepdims) {
  return evaluate::reduce(evaluate::Reduction::kSum, a.view(), over(a, axis, keepdims));
}
Array mean(const Array& a, std::optional<int> axis, bool keepdims) { return evaluate::mean(a.view(), over(a, axis, keepdims)); }
Array min(const Array& a, std::optional<int> axis, bool keepdims) {
  return evaluate::reduce(evaluate::Reduction::kMin, a.view(), over(a, axis, keepdims));
}
Array max(const Array& a, std::optional<int> axis, bool keepdims) {
  return evaluate::reduce(evaluate::Reduction::kMax, a.view(), over(a, axis, keepdims));
}
Array matmul(const Array& a, const Array& b) { return evaluate::matmul(a.view(), b.view()); }

}  // namespace manycore
