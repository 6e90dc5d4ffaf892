#include "evaluate/assign.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "evaluate/existing_output.h"
#include "evaluate/fill_runs.h"
#include "evaluate/record.h"
#include "evaluate/transposed_copy.h"
#include "evaluate/weak.h"
#include "interpret/run.h"
#include "kernel/stream.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

using interpret::Job;
using interpret::make_plan;

constexpr int64_t kCopyGrain = 256 << 10;  // bytes a thread copies at a time

// The view with leading axes of extent 1 dropped until it has no more axes than the destination, then stretched.
View fit(const View& source, const Dims& shape) {
  View trimmed = source;
  while (trimmed.ndim() > shape.size() && trimmed.shape[0] == 1) {
    trimmed.shape.erase(0);
    trimmed.strides.erase(0);
  }
  bool fits = trimmed.ndim() <= shape.size();
  const int lead = shape.size() - trimmed.ndim();
  for (int axis = 0; fits && axis < trimmed.ndim(); ++axis) {
    fits = trimmed.shape[axis] == 1 || trimmed.shape[axis] == shape[lead + axis];
  }
  if (!fits) {
    throw UserError(ErrorKind::kValue, "could not broadcast input array from shape " + shape_text(source.shape) + " into shape " +
                                           shape_text(shape));
  }
  return trimmed.shape == shape ? trimmed : broadcast_to(trimmed, shape);
}

bool same_layout(const View& a, const View& b) {
  return (a.is_c_contiguous() && b.is_c_contiguous()) || (a.is_f_contiguous() && b.is_f_contiguous());
}

void copy_bytes(std::byte* to, const std::byte* from, int64_t bytes, bool fresh) {
  if (bytes < 2 * kCopyGrain) {
    std::memcpy(to, from, bytes);
    return;
  }
  const int64_t threshold = kernel::streaming_bytes();
  sched::parallel_for(
      bytes, kCopyGrain,
      [&](int64_t begin, int64_t end) {
        if (bytes < threshold) {
          std::memcpy(to + begin, from + begin, end - begin);
        } else {
          kernel::stream_copy(to + begin, from + begin, end - begin);
          kernel::finish_stream();
        }
      },
      fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish);
}

// Destination and source have one shape and do not overlap but element by element.
void move(const View& destination, const View& source, bool fresh, unsigned* status) {
  if (destination.dtype == source.dtype && same_layout(destination, source)) {
    if (destination.data != source.data) copy_bytes(destination.data, source.data, destination.nbytes(), fresh);
    return;
  }
  kernel::Loop loop;
  loop.run = kernel::find_cast(source.dtype, destination.dtype);
  const bool may_fail = is_inexact(source.dtype) || destination.dtype == DType::kFloat16;
  loop.errors = source.dtype != destination.dtype && may_fail ? op::errors::all : op::errors::none;
  Job job;
  job.loop = &loop;
  job.inputs = job.outputs = 1;
  job.fresh = fresh;
  const View* views[2] = {&source, &destination};
  for (int k = 0; k < 2; ++k) {
    job.array_dtypes[k] = job.loop_dtypes[k] = views[k]->dtype;
    job.unaligned[k] = !views[k]->is_aligned();
  }
  make_plan(views, 2, 1, &job.plan);
  if (destination.dtype == source.dtype && !job.unaligned[0] && !job.unaligned[1] &&
      transposed_copy(job.plan, item_size(destination.dtype), destination.nbytes() >= kernel::streaming_bytes(), fresh)) {
    return;
  }
  const unsigned met = interpret::run(job);
  if (status) *status |= met;
}

[[noreturn]] void fail_cast(DType from, DType to, Casting casting) {
  throw UserError(ErrorKind::kCasting, std::string("Cannot cast array data from dtype('") + name_of(from) + "') to dtype('" +
                                           name_of(to) + "') according to the rule '" + name_of(casting) + "'");
}

// Axes from the largest stride to the smallest, which makes stretched axes (stride 0) the innermost: NumPy's order of a copy,
// other than that of a ufunc's result.
void axes_by_stride(const View& view, int* axes) {
  for (int i = 0; i < view.ndim(); ++i) {
    int place = i;
    for (; place > 0 && std::llabs(view.strides[axes[place - 1]]) < std::llabs(view.strides[i]); --place)
      axes[place] = axes[place - 1];
    axes[place] = i;
  }
}

}  // namespace

namespace {

// A new array for a copy of `source`, from `make`.
template <class Make>
Array make_like(const View& source, DType dtype, CopyOrder order, Make make) {
  const bool c = source.is_c_contiguous(), f = source.is_f_contiguous();
  int axes[kMaxDims];
  if (order == CopyOrder::kF || (order != CopyOrder::kC && f && !c)) {
    for (int i = 0; i < source.ndim(); ++i) axes[i] = source.ndim() - 1 - i;
  } else if (order != CopyOrder::kK || c) {
    return make(source.shape, dtype);
  } else {
    axes_by_stride(source, axes);
  }
  Dims arranged(source.ndim()), back(source.ndim());
  for (int i = 0; i < source.ndim(); ++i) {
    arranged[i] = source.shape[axes[i]];
    back[axes[i]] = i;
  }
  return make(arranged, dtype).transpose(back);
}

// The number as an element of a signed integer array: NumPy stores a scalar of integer or double type as the Python number that
// it is.
Scalar element_of(const Scalar& value, DType dtype, unsigned* status) {
  Scalar number = value;
  if (value.weak == Weak::kStrong && is_signed_integer(dtype) && value.dtype != dtype) {
    if (value.dtype == DType::kFloat64) number.weak = Weak::kFloat;
    if (is_integer(value.dtype)) {
      number = cast_scalar(value, value.dtype == DType::kUInt64 ? DType::kUInt64 : DType::kInt64);
      number.weak = Weak::kInteger;
    }
  }
  return cast_scalar(number, dtype, status);
}

void fill(const View& destination, const Scalar& value, bool fresh, unsigned* status) {
  const trace::NativeTime time;
  Scalar element = element_of(value, destination.dtype, status);
  trace::count_native(destination.nbytes());
  const auto interrupts = fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish;
  if (destination.size() == 0 || fill_runs(destination, element.bytes, interrupts)) return;
  const View source{element.bytes, destination.dtype, destination.shape, Dims(destination.ndim(), 0)};
  move(destination, source, fresh, status);
}

program::Instruction assignment(const Array& destination) {
  program::Instruction instruction;
  instruction.kind = program::Kind::kAssign;
  instruction.input_count = 1;
  instruction.output = {destination.buffer(), destination.described(), {}};
  return instruction;
}

}  // namespace

Array empty_like(const View& source, DType dtype, CopyOrder order) {
  return make_like(source, dtype, order, [](const Dims& shape, DType type) { return Array::empty(shape, type); });
}

// Plain moves of what is there run at once, with stores past the caches; only next to recorded work can they become part of it.
bool joins_recorded_work(const Array& array) { return array.is_pending(); }

bool record_assign(const Array& destination, const Array& source, Casting casting) {
  if (!joins_recorded_work(destination) && !joins_recorded_work(source)) return false;
  if (!worth_recording(destination.shape()) || !may_stay_recorded(destination) || !may_stay_recorded(source)) return false;
  if (may_overlap_itself(destination.described())) return false;
  if (!can_cast(source.dtype(), destination.dtype(), casting)) return false;
  program::Instruction instruction = assignment(destination);
  if (!ask_to_record(&instruction.origin)) return false;
  instruction.inputs[0] = {source.buffer(), fit(source.described(), destination.shape()), {}};
  record(std::move(instruction), source.nbytes() + destination.nbytes());
  return true;
}

bool record_fill(const Array& destination, const Scalar& value) {
  if (!joins_recorded_work(destination)) return false;
  if (!worth_recording(destination.shape()) || !may_stay_recorded(destination)) return false;
  if (may_overlap_itself(destination.described())) return false;
  program::Instruction instruction = assignment(destination);
  unsigned status = 0;
  instruction.inputs[0].number = element_of(value, destination.dtype(), &status);
  if (status != 0 || !ask_to_record(&instruction.origin)) return false;
  record(std::move(instruction), destination.nbytes());
  return true;
}

bool record_copy(const Array& source, DType dtype, CopyOrder order, Array* result) {
  if (!joins_recorded_work(source)) return false;
  if (!worth_recording(source.shape()) || !may_stay_recorded(source)) return false;
  program::Origin origin;
  if (!ask_to_record(&origin)) return false;
  *result = make_like(source.described(), dtype, order, promise);
  program::Instruction instruction = assignment(*result);
  instruction.origin = origin;
  instruction.inputs[0] = {source.buffer(), source.described(), {}};
  record(std::move(instruction), source.nbytes() + result->nbytes());
  return true;
}

void assign(const View& destination, const View& source, Casting casting, unsigned* status) {
  if (!can_cast(source.dtype, destination.dtype, casting)) fail_cast(source.dtype, destination.dtype, casting);
  const View fitted = fit(source, destination.shape);
  check_existing_output(destination);
  trace::NativeCall call;
  call.count(source.nbytes() + destination.nbytes());
  if (destination.size() == 0) return;
  if (overlap(destination, fitted) == Overlap::kMaybe) {
    if (destination.dtype == fitted.dtype && destination.is_c_contiguous() && fitted.is_c_contiguous()) {
      std::memmove(destination.data, fitted.data, static_cast<size_t>(destination.nbytes()));  // a[1:] = a[:-1]
      return;
    }
    const Array apart = copy(source);
    move(destination, fit(apart.view(), destination.shape), false, status);
    return;
  }
  move(destination, fitted, false, status);
}

void fill(const View& destination, const Scalar& value, unsigned* status) {
  check_existing_output(destination);
  fill(destination, value, false, status);
}

void fill_new(const View& destination, const Scalar& value, unsigned* status) { fill(destination, value, true, status); }

Array copy(const View& source, CopyOrder order) {
  const trace::NativeTime time;
  Array result = empty_like(source, source.dtype, order);
  trace::count_native(2 * source.nbytes());
  if (source.size() > 0) move(result.view(), source, true, nullptr);
  return result;
}

Array astype(const View& source, DType dtype, CopyOrder order, unsigned* status) {
  const trace::NativeTime time;
  Array result = empty_like(source, dtype, order);
  trace::count_native(source.nbytes() + result.nbytes());
  if (source.size() > 0) move(result.view(), source, true, status);
  return result;
}

}  // namespace manycore::evaluate
