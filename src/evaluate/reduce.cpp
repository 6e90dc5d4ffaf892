#include "evaluate/reduce.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "evaluate/arg_reduce.h"
#include "evaluate/assign.h"
#include "evaluate/reduce_fold.h"
#include "evaluate/reduce_result.h"
#include "evaluate/reduce_runs.h"
#include "kernel/identity.h"
#include "trace/counters.h"
#include "type/half.h"

namespace manycore::evaluate {
namespace {

// NumPy's name of the ufunc, for messages.
const char* ufunc_name(Reduction reduction) {
  static constexpr const char* kNames[] = {"add",        "multiply",    "minimum",    "maximum",     "fmin",
                                           "fmax",       "logical_and", "logical_or", "logical_xor", "bitwise_and",
                                           "bitwise_or", "bitwise_xor", "argmin",     "argmax",      "count_nonzero"};
  return kNames[static_cast<int>(reduction)];
}

bool is_logical(Reduction reduction) { return reduction >= Reduction::kAll && reduction <= Reduction::kLogicalXor; }

[[noreturn]] void fail_types(Reduction reduction) {
  throw UserError(ErrorKind::kType, std::string("ufunc '") + ufunc_name(reduction) +
                                        "' not supported for the input types, and the inputs could not be safely coerced to any "
                                        "supported types according to the casting rule ''safe''");
}

// `where` stretched to the input's shape, with NumPy's words where it does not fit.
View fit_where(const View& where, const View& input) {
  if (where.dtype != DType::kBool)
    throw UserError(ErrorKind::kType, std::string("Cannot cast array data from dtype('") + name_of(where.dtype) +
                                          "') to dtype('bool') according to the rule 'safe'");
  if (where.ndim() > input.ndim())
    throw UserError(ErrorKind::kValue, "input operand has more dimensions than allowed by the axis remapping");
  const int shift = input.ndim() - where.ndim();
  for (int axis = 0; axis < where.ndim(); ++axis) {
    const int64_t extent = where.shape[axis], expected = input.shape[axis + shift];
    if (extent == expected || extent == 1) continue;
    if (expected == 1)
      throw UserError(ErrorKind::kValue, "non-broadcastable operand with shape " + shape_text(input.shape) +
                                             " doesn't match the broadcast shape " + shape_text(where.shape));
    throw UserError(ErrorKind::kValue, "operands could not be broadcast together with remapped shapes [original->remapped]: " +
                                           shape_text(input.shape) + " " + shape_text(where.shape) + " ");
  }
  return broadcast_to(where, input.shape);
}

// The loops that are kept, as a view of one operand at the first element of every reduced loop.
View kept_view(const ReduceOrder& order, ReduceOrder::Operand operand, std::byte* data, DType dtype) {
  View view{data, dtype, Dims(), Dims()};
  for (int i = 0; i < order.ndim; ++i) {
    if (order.stride[0][i] == 0) continue;
    view.shape.push_back(order.shape[i]);
    view.strides.push_back(order.stride[operand][i]);
  }
  return view;
}

// Copies the first element along the reduced axes into every result.
void copy_first(const Fold& fold) {
  if (fold.cast == nullptr && fold.loop_input == fold.to) {
    const View first = kept_view(fold.order, ReduceOrder::kIn, const_cast<std::byte*>(fold.in), fold.to);
    return assign(kept_view(fold.order, ReduceOrder::kOut, fold.out, fold.to), first, Casting::kNo);
  }
  RunReader runs(fold);
  const int64_t item = item_size(fold.to);
  ReduceOrder kept = fold.order;  // every reduced loop stands at its first element
  for (int i = 0; i < kept.ndim; ++i) {
    if (kept.stride[0][i] == 0) kept.shape[i] = 1;
  }
  for_each_outer(kept, 1, [&](const Offsets& at) {
    for (int64_t first = 0; first < kept.shape[0]; first += kNumpyBuffer) {
      const int64_t count = std::min(kNumpyBuffer, kept.shape[0] - first);
      const Run run = runs.loop0(at, first, count);
      std::byte* out = fold.out + at.offset[0] + first * kept.stride[0][0];
      for (int64_t i = 0; i < count; ++i) {
        std::memcpy(out + i * kept.stride[0][0], run.data + i * run.stride, static_cast<size_t>(item));
      }
    }
  });
}

// Puts the starting values into the results.
void start(const Fold& fold, const View& input, const bool* reduced, const ReduceOptions& options) {
  alignas(16) std::byte value[16];
  bool has_value = kernel::identity(fold.reduction, fold.to, value);
  if (options.initial) {
    const Scalar initial = cast_scalar(*options.initial, fold.to);
    std::memcpy(value, initial.bytes, sizeof value);
    has_value = true;
  }
  if (has_value) {
    Scalar scalar;
    scalar.dtype = fold.to;
    std::memcpy(scalar.bytes, value, sizeof scalar.bytes);
    return fill(kept_view(fold.order, ReduceOrder::kOut, fold.out, fold.to), scalar);
  }
  if (fold.where != nullptr)
    throw UserError(ErrorKind::kValue, std::string("reduction operation '") + ufunc_name(fold.reduction) +
                                           "' does not have an identity, so to use a where mask one has to specify 'initial'");
  for (int axis = 0; axis < input.ndim(); ++axis) {
    if (reduced[axis] && input.shape[axis] == 0)
      throw UserError(ErrorKind::kValue, std::string("zero-size array to reduction operation ") + ufunc_name(fold.reduction) +
                                             " which has no identity");
  }
  if (input.size() != 0) copy_first(fold);
}

Array fold_into(Reduction reduction, const View& input, const ReduceAxes& axes, const ReduceOptions& options, DType to) {
  Fold fold;
  if (!choose_loops(reduction, input.dtype, to, &fold)) fail_types(reduction);
  // Comparisons with NaN raise the invalid condition too, which is not worth a warning.
  const bool computes = reduction == Reduction::kSum || reduction == Reduction::kProd;
  fold.status = computes && is_inexact(to) ? options.status : nullptr;
  View where;
  if (options.where != nullptr) where = fit_where(*options.where, input);
  ReduceResult result(input, axes, options, to, ufunc_name(reduction));
  const View* mask = options.where != nullptr ? &where : nullptr;
  plan_reduction(input, axes.reduced, result.given_strides(), item_size(to), result.strides(),
                 mask != nullptr ? mask->strides.data() : nullptr, mask != nullptr, fold.cast != nullptr || !input.is_aligned(),
                 false, &fold.order);
  if (fold.loops->exact) {
    fold.order.group = 1;
    fold.order.run = fold.cast != nullptr ? std::min(fold.order.shape[0], kNumpyBuffer) : fold.order.shape[0];
  }
  result.create();
  fold.out = result.data();
  fold.in = input.data;
  fold.where = mask != nullptr ? where.data : nullptr;
  start(fold, input, axes.reduced, options);
  run_fold(fold);
  return result.finish(options);
}

}  // namespace

DType accumulator_dtype(Reduction reduction, DType input, const ReduceOptions& options) {
  if (reduction == Reduction::kCountNonzero) return DType::kInt64;
  if (is_logical(reduction)) return DType::kBool;
  if (options.dtype) return *options.dtype;
  if (options.output != nullptr) return promote(options.output->dtype(), input);
  const bool adds = reduction == Reduction::kSum || reduction == Reduction::kProd;
  if (!adds || is_inexact(input)) return input;
  return kind_of(input) == 'u' ? DType::kUInt64 : DType::kInt64;  // narrower integers and bool add in 64 bits
}

Dims normalize_axes(const Dims& axes, int ndim) {
  Dims result = axes;
  bool seen[kMaxDims] = {};
  for (int64_t& axis : result) {
    if (axis < -ndim || axis >= ndim)
      throw UserError(ErrorKind::kAxis,
                      "axis " + std::to_string(axis) + " is out of bounds for array of dimension " + std::to_string(ndim));
    if (axis < 0) axis += ndim;
    if (seen[axis]) throw UserError(ErrorKind::kValue, "duplicate value in 'axis'");
    seen[axis] = true;
  }
  return result;
}

Array reduce(Reduction reduction, const View& input, const ReduceOptions& options) {
  trace::NativeCall call;
  const bool searches = reduction == Reduction::kArgmin || reduction == Reduction::kArgmax;
  Array result = searches ? arg_reduce(reduction, input, options)
                          : fold_into(reduction, input, ReduceAxes(input, options), options,
                                      accumulator_dtype(reduction, input.dtype, options));
  call.count(input.nbytes() + (options.where != nullptr ? options.where->nbytes() : 0) + result.nbytes());
  return result;
}

}  // namespace manycore::evaluate
