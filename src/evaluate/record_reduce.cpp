#include "evaluate/record.h"
#include "evaluate/reduce.h"
#include "evaluate/reduce_order.h"
#include "evaluate/reduce_result.h"
#include "program/axes.h"

namespace manycore::evaluate {
namespace {

// Shorter runs cost more in calls than reading the elements once more.
constexpr int64_t kShortestRun = 32;

// One result a row: what is then done to the rows, like taking it off, can run together with finding it. Anything else that is made of
// elements in memory is better made at once.
bool feeds_rows(const program::Split& split) { return split.outer > 1 && split.inner == 1; }

// Does NumPy add the elements of a dense array in this order too: one run after the other along the last axes, or row after row?
bool is_numpys_order(const View& input, const ReduceAxes& axes, const program::Split& split, DType to) {
  int64_t strides[kMaxDims];
  ReduceOrder order;
  plan_reduction(input, axes.reduced, nullptr, item_size(to), strides, nullptr, false, false, false, &order);
  if (order.group != 1 || order.inner_is_reduced() != (split.inner == 1)) return false;
  return split.inner > 1 || (order.shape[0] == split.reduced && order.run == split.reduced);
}

// The result in C order, and the view of it that does not move along the reduced axes.
Array make_result(const View& input, const ReduceAxes& axes, bool keepdims, DType to, View* spread) {
  Dims shape;
  for (int axis = 0; axis < input.ndim(); ++axis) {
    if (!axes.reduced[axis]) shape.push_back(input.shape[axis]);
    if (axes.reduced[axis] && keepdims) shape.push_back(1);
  }
  const Array result = promise(shape, to);
  *spread = {result.described().data, to, input.shape, Dims(input.ndim(), 0)};
  int64_t stride = item_size(to);
  for (int axis = input.ndim() - 1; axis >= 0; --axis) {
    if (axes.reduced[axis] || input.shape[axis] == 1) continue;
    spread->strides[axis] = stride;
    stride *= input.shape[axis];
  }
  return result;
}

}  // namespace

bool record_reduce(Reduction reduction, const Array& input, const ReduceOptions& options, Array* result) {
  const View& view = input.described();
  if (!worth_recording(view.shape)) return false;
  if (options.where || options.initial || options.output || !view.is_c_contiguous() || !may_stay_recorded(input)) return false;
  if (reduction == Reduction::kArgmin || reduction == Reduction::kArgmax) return false;
  const DType to = accumulator_dtype(reduction, view.dtype, options);
  const kernel::ReduceLoops* loops = kernel::find_reduction(reduction, view.dtype, to);
  if (loops == nullptr || view.dtype == DType::kFloat16) return false;
  if (!loops->exact && (reduction != Reduction::kSum || view.dtype != to)) return false;
  const ReduceAxes axes(view, options);
  const auto split = program::split(view.shape, axes.reduced);
  if (!split || (!will_be_written(input) && !feeds_rows(*split))) return false;
  if (std::min(split->reduced, split->inner == 1 ? split->reduced : split->inner) < kShortestRun) return false;
  if (!loops->exact && !is_numpys_order(view, axes, *split, to)) return false;
  program::Instruction instruction;
  instruction.kind = program::Kind::kReduce;
  instruction.reduction = reduction;
  if (!ask_to_record(&instruction.origin)) return false;
  instruction.input_count = 1;
  instruction.inputs[0] = {input.buffer(), view, {}};
  View spread;
  *result = make_result(view, axes, options.keepdims, to, &spread);
  instruction.output = {result->buffer(), std::move(spread), {}};
  record(std::move(instruction), input.nbytes() + result->nbytes());
  return true;
}

bool record_mean(const Array& input, const ReduceOptions& options, Array* result) {
  if (!is_floating(input.dtype()) || options.dtype || !record_reduce(Reduction::kSum, input, options, result)) return false;
  // NumPy divides by a 64-bit integer, in float64, and rounds to the sum's dtype.
  const Operand operands[] = {*result, Scalar::of(DType::kInt64, input.size() / result->size())};
  ElementwiseOptions divide;
  divide.outputs[0] = result;
  divide.casting = Casting::kUnsafe;
  Array same;
  if (!record_elementwise(op::Op::divide, operands, &same, divide)) elementwise(op::Op::divide, operands, {&same, 1}, divide);
  return true;
}

}  // namespace manycore::evaluate
