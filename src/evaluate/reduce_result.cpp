#include "evaluate/reduce_result.h"

#include "evaluate/assign.h"
#include "evaluate/existing_output.h"

namespace manycore::evaluate {
namespace {

void check_output(const View& input, const ReduceAxes& axes, bool keepdims, const Array& output, const char* name) {
  const int expected = keepdims ? input.ndim() : input.ndim() - axes.count;
  if (output.ndim() != expected)
    throw UserError(ErrorKind::kValue, std::string("output parameter for reduction operation ") + name +
                                           " has the wrong number of dimensions: Found " + std::to_string(output.ndim()) +
                                           " but expected " + std::to_string(expected) +
                                           (keepdims ? " (must match the operand's when keepdims=True)" : ""));
  bool fits = true;
  std::string remapped = "(";
  for (int axis = 0, position = 0; axis < input.ndim(); ++axis) {
    const bool gone = axes.reduced[axis];
    if (!gone || keepdims) fits = fits && output.shape()[position] == (gone ? 1 : input.shape[axis]);
    remapped += (axis > 0 ? "," : "") + (gone ? std::string("newaxis") : std::to_string(output.shape()[position]));
    position += !gone || keepdims;
  }
  if (input.ndim() == 1) remapped += ",";
  if (!fits)
    throw UserError(ErrorKind::kValue, "operands could not be broadcast together with remapped shapes [original->remapped]: " +
                                           shape_text(output.shape()) + "->" + remapped + ") " + shape_text(input.shape) + " ");
}

}  // namespace

ReduceAxes::ReduceAxes(const View& input, const ReduceOptions& options) {
  for (int axis = 0; axis < input.ndim(); ++axis) reduced[axis] = !options.axes;
  if (!options.axes) {
    count = input.ndim();
    return;
  }
  for (int64_t axis : normalize_axes(*options.axes, input.ndim())) reduced[axis] = true;
  count = options.axes->size();
}

int64_t ReduceAxes::items(const View& input) const {
  int64_t n = 1;
  for (int axis = 0; axis < input.ndim(); ++axis) n *= reduced[axis] ? input.shape[axis] : 1;
  return n;
}

ReduceResult::ReduceResult(const View& input, const ReduceAxes& axes, const ReduceOptions& options, DType dtype, const char* name)
    : input_(input), axes_(axes), keepdims_(options.keepdims), dtype_(dtype) {
  if (options.output == nullptr) return;
  const Array& output = *options.output;
  check_output(input, axes, keepdims_, output, name);
  check_existing_output(output.described());
  if (output.dtype() != dtype || overlap(output.view(), input) != Overlap::kNone) return;
  if (options.where != nullptr && overlap(output.view(), *options.where) != Overlap::kNone) return;
  in_place_ = true;
  array_ = output;
  for (int axis = 0, position = 0; axis < input.ndim(); ++axis) {
    const bool gone = axes.reduced[axis];
    strides_[axis] = gone ? 0 : output.strides()[position];
    position += !gone || keepdims_;
  }
}

void ReduceResult::create() {
  if (in_place_) return;
  View view;
  view.dtype = dtype_;
  for (int axis = 0; axis < input_.ndim(); ++axis) {
    if (axes_.reduced[axis] && !keepdims_) continue;
    view.shape.push_back(axes_.reduced[axis] ? 1 : input_.shape[axis]);
    view.strides.push_back(strides_[axis]);
  }
  const int64_t size = checked_size(view.shape, item_size(dtype_));
  if (size == 0) view.strides = Dims(view.ndim(), 0);
  BufferRef buffer = BufferRef::adopt(Buffer::allocate(size * item_size(dtype_)));
  view.data = buffer->data();
  array_ = Array(std::move(buffer), std::move(view));
}

Array ReduceResult::finish(const ReduceOptions& options) {
  if (options.output == nullptr || in_place_) return std::move(array_);
  assign(options.output->view(), array_.view(), Casting::kUnsafe, options.status);
  return *options.output;
}

}  // namespace manycore::evaluate
