// mean and variance by NumPy's formulas (numpy/_core/_methods.py), with its roundings. The variance adds |x - mean|^2 as it reads:
// where the elements lie dense in memory no array of differences is made.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>

#include "evaluate/assign.h"
#include "evaluate/reduce.h"
#include "evaluate/reduce_fold.h"
#include "evaluate/reduce_result.h"
#include "evaluate/status_scope.h"
#include "interpret/plan.h"
#include "kernel/loops.h"
#include "trace/counters.h"
#include "type/half.h"

namespace manycore::evaluate {
namespace {

using interpret::make_plan;
using interpret::Plan;
using interpret::walk;

[[noreturn]] void fail_unsupported(const char* operation) {
  throw UserError(ErrorKind::kNotImplemented,
                  std::string(operation) + ": no native loop for this combination of dtype, output and mask; try the defaults");
}

// NumPy divides by a 64-bit integer or a float64: in float64 or complex128, rounded to the sum's dtype.
template <class T>
void divide_real(std::byte* element, double count) {
  T& value = *reinterpret_cast<T*>(element);
  value = static_cast<T>(static_cast<double>(value) / count);
}

// Smith's quotient by a real number: a product with the reciprocal.
template <class T>
void divide_complex(std::byte* element, double count) {
  T* parts = reinterpret_cast<T*>(element);
  const double real = parts[0], imaginary = parts[1];
  if (count == 0) {
    parts[0] = static_cast<T>(real / count);
    parts[1] = static_cast<T>(imaginary / count);
    return;
  }
  const double ratio = 0.0 / count, scale = 1.0 / (count + 0.0 * ratio);
  parts[0] = static_cast<T>((real + imaginary * ratio) * scale);
  parts[1] = static_cast<T>((imaginary - real * ratio) * scale);
}

void divide(DType dtype, std::byte* element, double count) {
  switch (dtype) {
    case DType::kFloat16: {
      Half& half = *reinterpret_cast<Half*>(element);
      half = float_to_half(static_cast<float>(static_cast<double>(half_to_float(half)) / count));
      return;
    }
    case DType::kFloat32:
      return divide_real<float>(element, count);
    case DType::kFloat64:
      return divide_real<double>(element, count);
    case DType::kComplex64:
      return divide_complex<float>(element, count);
    case DType::kComplex128:
      return divide_complex<double>(element, count);
    default:
      fail_unsupported("divide");
  }
}

// body(element) for every element.
template <class F>
void for_each_element(const View& view, F&& body) {
  if (view.size() == 0) return;
  const View* views[] = {&view};
  Plan plan;
  make_plan(views, 1, 0, &plan);
  walk(plan, 0, plan.size, plan.size, [&](std::byte* const* data, int64_t n) {
    for (int64_t i = 0; i < n; ++i) body(data[0] + i * plan.strides[0][0]);
  });
}

void divide_all(const View& sums, double count) {
  for_each_element(sums, [&](std::byte* element) { divide(sums.dtype, element, count); });
}

// Every result has its own number of selected elements; `removed` are not counted.
void divide_by_counts(const View& sums, const View& counts, double removed) {
  if (sums.size() == 0) return;
  const View* views[] = {&counts, &sums};
  Plan plan;
  make_plan(views, 2, 1, &plan);
  walk(plan, 0, plan.size, plan.size, [&](std::byte* const* data, int64_t n) {
    for (int64_t i = 0; i < n; ++i) {
      const int64_t count = *reinterpret_cast<const int64_t*>(data[0] + i * plan.strides[0][0]);
      divide(sums.dtype, data[1] + i * plan.strides[1][0], static_cast<double>(count) - removed);
    }
  });
}

int64_t least(const View& counts) {
  int64_t found = std::numeric_limits<int64_t>::max();
  for_each_element(counts, [&](const std::byte* p) { found = std::min(found, *reinterpret_cast<const int64_t*>(p)); });
  return found;
}

// NumPy makes a mean and a variance of several calls, each of which warns under its own name (subtract, square, divide, ...).
// Where one would, the caller is sent to NumPy, before anything was written for it to see.
void leave_warnings_to_numpy(const char* operation, unsigned raised, bool suspicious, const ReduceOptions& options) {
  if (options.status == nullptr || !(suspicious || (raised & (kInvalid | kOverflow)))) return;
  throw UserError(ErrorKind::kNotImplemented, std::string(operation) + ": values leave the finite range; NumPy says where");
}

// float16 overflows by rounding, which the processor does not notice.
bool has_infinite_half(const View& view) {
  bool found = false;
  if (view.dtype == DType::kFloat16) {
    for_each_element(view, [&](const std::byte* p) { found |= (reinterpret_cast<const Half*>(p)->bits & 0x7fff) == 0x7c00; });
  }
  return found;
}

DType sum_dtype(DType input, const ReduceOptions& options) {
  if (options.dtype) return *options.dtype;
  return is_inexact(input) ? input : DType::kFloat64;
}

Array to_float16(const Array& sums, bool was_scalar, double count) {
  if (!was_scalar) return astype(sums.view(), DType::kFloat16, CopyOrder::kK);
  Array result = Array::empty(sums.shape(), DType::kFloat16);
  // A NumPy scalar is divided in float64 and rounded once.
  const double quotient = static_cast<double>(*reinterpret_cast<const float*>(sums.data())) / count;
  *reinterpret_cast<Half*>(result.data()) = double_to_half(quotient);
  return result;
}

// |x - mean|^2 summed over `input`, which is dense; `mean` has its dimensions, 1 where reduced.
Array sum_deviations(const View& input, const Array& mean, const ReduceAxes& axes, const ReduceOptions& options) {
  const DType values = mean.dtype();
  const DType real = values == DType::kComplex64 ? DType::kFloat32 : values == DType::kComplex128 ? DType::kFloat64 : values;
  Fold fold;
  choose_loops(Reduction::kSum, real, real, &fold);
  fold.from = input.dtype;
  fold.loop_input = values;
  fold.cast = input.dtype == values ? nullptr : kernel::find_cast(input.dtype, values);
  fold.status = options.status;
  ReduceOptions kept = options;
  kept.output = nullptr;
  ReduceResult result(input, axes, kept, real, "add");
  // NumPy adds up an array of differences with the input's axis order, dense and in the result's precision.
  View differences = input;
  differences.dtype = real;
  for (int64_t& stride : differences.strides) stride = stride / item_size(input.dtype) * item_size(real);
  int64_t mean_strides[kMaxDims];
  for (int axis = 0; axis < input.ndim(); ++axis) mean_strides[axis] = axes.reduced[axis] ? 0 : mean.strides()[axis];
  plan_reduction(differences, axes.reduced, nullptr, item_size(real), result.strides(), mean_strides, false, false, false,
                 &fold.order);
  for (int i = 0; i < fold.order.ndim; ++i) {
    fold.order.stride[1][i] = fold.order.stride[1][i] / item_size(real) * item_size(input.dtype);
  }
  result.create();
  std::memset(result.data(), 0, static_cast<size_t>(result.array().nbytes()));
  fold.out = result.data();
  fold.in = input.data;
  fold.mean = mean.data();
  run_fold(fold);
  return result.finish(kept);
}

// Do the elements fill their memory without gaps, in some order of axes, all strides positive?
bool is_dense(const View& view) {
  int order[kMaxDims];
  for (int axis = 0; axis < view.ndim(); ++axis) order[axis] = axis;
  std::sort(order, order + view.ndim(), [&](int a, int b) { return view.strides[a] < view.strides[b]; });
  int64_t expected = item_size(view.dtype);
  for (int i = 0; i < view.ndim(); ++i) {
    if (view.shape[order[i]] == 1) continue;
    if (view.strides[order[i]] != expected) return false;
    expected *= view.shape[order[i]];
  }
  return true;
}

// A dense copy that lies in memory as NumPy's array `input - mean` does.
Array copy_like_differences(const View& input, const View& mean) {
  const View stretched = broadcast_to(mean, input.shape);
  const View* operands[] = {&input, &stretched};
  Array copied = interpret::make_like_operands(operands, 2, input.shape, input.dtype);
  assign(copied.view(), input);
  return copied;
}

Array root(Array value) {
  for_each_element(value.view(), [&](std::byte* element) {
    switch (value.dtype()) {
      case DType::kFloat16: {
        Half& half = *reinterpret_cast<Half*>(element);
        half = float_to_half(std::sqrt(half_to_float(half)));
        break;
      }
      case DType::kFloat32:
        *reinterpret_cast<float*>(element) = std::sqrt(*reinterpret_cast<float*>(element));
        break;
      default:
        *reinterpret_cast<double*>(element) = std::sqrt(*reinterpret_cast<double*>(element));
    }
  });
  return value;
}

Array deliver(Array value, const ReduceOptions& options) {
  if (options.output == nullptr) return value;
  if (!(options.output->shape() == value.shape()))
    throw UserError(ErrorKind::kValue, "non-broadcastable output operand with shape " + shape_text(options.output->shape()) +
                                           " doesn't match the broadcast shape " + shape_text(value.shape()));
  assign(options.output->view(), value.view(), Casting::kUnsafe, options.status);
  return *options.output;
}

Array mean_of(const View& input, const ReduceOptions& options) {
  const bool is_half = input.dtype == DType::kFloat16 && !options.dtype && options.output == nullptr;
  ReduceOptions sums = options;
  sums.output = nullptr;
  sums.dtype = input.dtype == DType::kFloat16 && !options.dtype ? DType::kFloat32 : sum_dtype(input.dtype, options);
  if (!is_inexact(*sums.dtype)) fail_unsupported("mean");
  Array total = reduce(Reduction::kSum, input, sums);
  if (options.where != nullptr) {
    if (is_half && total.ndim() == 0) fail_unsupported("mean");
    ReduceOptions counting = options;
    counting.dtype = DType::kInt64;
    counting.output = nullptr;
    counting.where = nullptr;
    const Array counts = reduce(Reduction::kSum, broadcast_to(*options.where, input.shape), counting);
    if (least(counts.view()) == 0) fail_unsupported("mean");  // of nothing, which warns
    divide_by_counts(total.view(), counts.view(), 0);
    return deliver(is_half ? to_float16(total, false, 0) : total, options);
  }
  const double count = static_cast<double>(ReduceAxes(input, options).items(input));
  if (is_half && total.ndim() == 0) return to_float16(total, true, count);
  unsigned raised = 0;
  {
    StatusScope division(&raised);
    divide_all(total.view(), count);
  }
  leave_warnings_to_numpy("mean", raised, false, options);
  return deliver(is_half ? to_float16(total, false, 0) : total, options);
}

// Of the selected elements, call by call as NumPy makes it: the array of squares is needed, since a mask has no order of its own.
Array masked_variance(const View& input, double degrees_of_freedom_removed, bool take_square_root, const ReduceOptions& options) {
  const DType values = sum_dtype(input.dtype, options);
  if ((values != DType::kFloat32 && values != DType::kFloat64) || promote(input.dtype, values) != values || input.ndim() == 0 ||
      options.output != nullptr)
    fail_unsupported("variance");
  unsigned raised = 0;
  ReduceOptions sums = options;
  sums.status = &raised;
  sums.dtype = DType::kInt64;
  sums.where = nullptr;
  sums.keepdims = true;
  const View chosen = broadcast_to(*options.where, input.shape);
  const Array counts = reduce(Reduction::kSum, chosen, sums);
  if (static_cast<double>(least(counts.view())) <= degrees_of_freedom_removed) fail_unsupported("variance");  // warns
  sums.dtype = values;
  sums.where = &chosen;
  const Array mean = reduce(Reduction::kSum, input, sums);
  divide_by_counts(mean.view(), counts.view(), 0);
  ElementwiseOptions quiet;
  quiet.status = &raised;
  const Operand difference[] = {input, mean};
  Array squares = elementwise(op::Op::subtract, difference, quiet);
  const Operand itself[] = {squares};
  quiet.outputs[0] = &squares;
  elementwise(op::Op::square, itself, quiet);
  sums.keepdims = options.keepdims;
  Array result = reduce(Reduction::kSum, squares.view(), sums);
  View per_result = counts.view();
  const ReduceAxes axes(input, options);
  for (int axis = input.ndim() - 1; axis >= 0 && !options.keepdims; --axis) {
    if (!axes.reduced[axis]) continue;
    per_result.shape.erase(axis);
    per_result.strides.erase(axis);
  }
  divide_by_counts(result.view(), per_result, degrees_of_freedom_removed);
  leave_warnings_to_numpy("var", raised, false, options);
  return take_square_root ? root(std::move(result)) : result;
}

Array variance_of(const View& input, double degrees_of_freedom_removed, bool take_square_root, const ReduceOptions& options) {
  if (options.where != nullptr) return masked_variance(input, degrees_of_freedom_removed, take_square_root, options);
  const DType values = sum_dtype(input.dtype, options);
  if (!is_inexact(values) || promote(input.dtype, values) != values || (options.dtype && is_complex(values)))
    fail_unsupported("variance");
  const ReduceAxes axes(input, options);
  const double count = static_cast<double>(axes.items(input));
  unsigned raised = 0;
  ReduceOptions quiet = options;
  quiet.output = nullptr;
  quiet.status = &raised;
  ReduceOptions centre = quiet;
  centre.dtype = values;
  centre.keepdims = true;
  Array mean = reduce(Reduction::kSum, input, centre);
  {
    StatusScope scope(&raised);
    divide_all(mean.view(), count);
  }
  const Array dense = is_dense(input) ? Array() : copy_like_differences(input, mean.view());
  const View& elements = dense.buffer() ? dense.view() : input;
  Array result = sum_deviations(elements, mean, axes, quiet);
  {
    StatusScope scope(&raised);
    divide_all(result.view(), std::max(count - degrees_of_freedom_removed, 0.0));
  }
  leave_warnings_to_numpy("var", raised, has_infinite_half(result.view()), options);
  return deliver(take_square_root ? root(std::move(result)) : std::move(result), options);
}

}  // namespace

Array mean(const View& input, const ReduceOptions& options) {
  trace::NativeCall call;
  Array result = mean_of(input, options);
  call.count(input.nbytes() + (options.where != nullptr ? options.where->nbytes() : 0) + result.nbytes());
  return result;
}

Array variance(const View& input, double degrees_of_freedom_removed, bool take_square_root, const ReduceOptions& options) {
  trace::NativeCall call;
  Array result = variance_of(input, degrees_of_freedom_removed, take_square_root, options);
  call.count(input.nbytes() + result.nbytes());
  return result;
}

}  // namespace manycore::evaluate
