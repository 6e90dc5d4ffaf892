#include "evaluate/create.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "evaluate/assign.h"
#include "evaluate/existing_output.h"
#include "evaluate/record.h"
#include "op/resolve.h"
#include "sched/parallel.h"
#include "trace/counters.h"
#include "type/half.h"

namespace manycore::evaluate {
namespace {

constexpr int64_t kRangeGrain = 32768;

template <class F>
void for_elements(int64_t count, const F& body) {
  sched::parallel_for(count, kRangeGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i);
  });
}

// start + i * (second - start), in T's own arithmetic; the first two elements stay as given.
template <class T>
void fill_range(T* out, int64_t count) {
  const T start = out[0], delta = static_cast<T>(out[1] - start);
  if constexpr (std::is_integral_v<T>) {
    // By addition, which vectorises everywhere: modulo 2^64 it is the product.
    const auto first = static_cast<uint64_t>(start), step = static_cast<uint64_t>(delta);
    sched::parallel_for(count - 2, kRangeGrain, [&](int64_t begin, int64_t end) {
      uint64_t value = first + static_cast<uint64_t>(begin + 2) * step;
      for (int64_t i = begin + 2; i < end + 2; ++i, value += step) out[i] = static_cast<T>(value);
    });
  } else {
    for_elements(count - 2, [&](int64_t k) { out[k + 2] = start + static_cast<T>(k + 2) * delta; });
  }
}
void fill_range(Half* out, int64_t count) {
  const float start = half_to_float(out[0]), delta = half_to_float(out[1]) - start;
  for_elements(count - 2, [&](int64_t k) { out[k + 2] = float_to_half(start + static_cast<float>(k + 2) * delta); });
}
template <class T>
void fill_range(std::complex<T>* out, int64_t count) {
  const std::complex<T> start = out[0], delta = out[1] - start;
  for_elements(count - 2, [&](int64_t k) {
    const T i = static_cast<T>(k + 2);
    out[k + 2] = {start.real() + i * delta.real(), start.imag() + i * delta.imag()};
  });
}

void fill_range(DType dtype, std::byte* data, int64_t count) {
  switch (dtype) {
#define MANYCORE_RANGE(type, name) \
  case DType::name:                \
    return fill_range(reinterpret_cast<type*>(data), count);
    MANYCORE_RANGE(int8_t, kInt8)
    MANYCORE_RANGE(int16_t, kInt16)
    MANYCORE_RANGE(int32_t, kInt32)
    MANYCORE_RANGE(int64_t, kInt64)
    MANYCORE_RANGE(uint8_t, kUInt8)
    MANYCORE_RANGE(uint16_t, kUInt16)
    MANYCORE_RANGE(uint32_t, kUInt32)
    MANYCORE_RANGE(uint64_t, kUInt64)
    MANYCORE_RANGE(Half, kFloat16)
    MANYCORE_RANGE(float, kFloat32)
    MANYCORE_RANGE(double, kFloat64)
    MANYCORE_RANGE(std::complex<float>, kComplex64)
    MANYCORE_RANGE(std::complex<double>, kComplex128)
#undef MANYCORE_RANGE
    case DType::kBool:
      break;
  }
  throw UserError(ErrorKind::kType, "no fill-function for data-type.");
}

[[noreturn]] void fail_extents(std::span<const View> parts, size_t index, int axis) {
  throw UserError(ErrorKind::kValue,
                  "all the input array dimensions except for the concatenation axis must match exactly, but along dimension " +
                      std::to_string(axis) + ", the array at index 0 has size " + std::to_string(parts[0].shape[axis]) +
                      " and the array at index " + std::to_string(index) + " has size " +
                      std::to_string(parts[index].shape[axis]));
}

// Checked; the axis counted from the front.
Dims joined_shape(std::span<const View> parts, int* axis) {
  if (parts.empty()) throw UserError(ErrorKind::kValue, "need at least one array to concatenate");
  const int ndim = parts[0].ndim();
  if (ndim == 0) throw UserError(ErrorKind::kValue, "zero-dimensional arrays cannot be concatenated");
  if (*axis < -ndim || *axis >= ndim) {
    throw UserError(ErrorKind::kAxis,
                    "axis " + std::to_string(*axis) + " is out of bounds for array of dimension " + std::to_string(ndim));
  }
  if (*axis < 0) *axis += ndim;
  Dims shape = parts[0].shape;
  for (size_t p = 1; p < parts.size(); ++p) {
    if (parts[p].ndim() != ndim) {
      throw UserError(ErrorKind::kValue,
                      "all the input arrays must have same number of dimensions, but the array at index 0 has " +
                          std::to_string(ndim) + " dimension(s) and the array at index " + std::to_string(p) + " has " +
                          std::to_string(parts[p].ndim()) + " dimension(s)");
    }
    for (int a = 0; a < ndim; ++a) {
      if (a != *axis && parts[p].shape[a] != shape[a]) fail_extents(parts, p, a);
    }
    shape[*axis] += parts[p].shape[*axis];
  }
  return shape;
}

enum class Before { kYes, kNo, kUnknown };

// Does axis `a`, which comes later in C order, lie outside axis `b` in memory? Only parts that are longer than one element along both
// tell, and they must agree.
Before lies_outside(std::span<const View> parts, int a, int b) {
  Before answer = Before::kUnknown;
  for (const View& part : parts) {
    if (part.shape[a] == 1 || part.shape[b] == 1) continue;
    if (std::abs(part.strides[a]) <= std::abs(part.strides[b])) return Before::kNo;
    answer = Before::kYes;
  }
  return answer;
}

// Strides of a dense result whose axes lie in memory as those of the parts do, as NumPy's concatenate has it.
Dims joined_strides(std::span<const View> parts, const Dims& shape, int64_t item) {
  std::vector<int> axes;  // the outermost first
  for (int axis = 0; axis < static_cast<int>(shape.size()); ++axis) {
    auto place = axes.size();
    for (size_t before = axes.size(); before-- > 0;) {
      const Before outside = lies_outside(parts, axis, axes[before]);
      if (outside == Before::kNo) break;
      if (outside == Before::kYes) place = before;
    }
    axes.insert(axes.begin() + static_cast<ptrdiff_t>(place), axis);
  }
  Dims strides = shape;
  int64_t stride = item;
  for (size_t k = axes.size(); k-- > 0;) {
    strides[axes[k]] = stride;
    stride *= shape[axes[k]];
  }
  return strides;
}

Array prepare_output(const Dims& shape, DType dtype, std::span<const View> parts, const ElementwiseOptions& options) {
  if (!options.outputs[0]) {
    const Array dense = Array::empty(shape, dtype);
    if (dense.size() == 0) return dense;
    return Array(dense.buffer(), View{dense.data(), dtype, shape, joined_strides(parts, shape, item_size(dtype))});
  }
  if (!(options.outputs[0]->shape() == shape)) throw UserError(ErrorKind::kValue, "Output array is the wrong shape");
  check_existing_output(options.outputs[0]->described());
  return *options.outputs[0];
}

// The second element before it is rounded to the dtype: Python's own sum of two bare numbers, else NumPy's.
Scalar sum(const Scalar& start, const Scalar& step) {
  const bool whole = start.weak == Weak::kInteger && step.weak == Weak::kInteger;
  if (whole && start.dtype == DType::kInt64 && step.dtype == DType::kInt64) {
    int64_t value;
    if (!__builtin_add_overflow(start.get<int64_t>(), step.get<int64_t>(), &value)) return Scalar::integer(value);
  }
  if (start.weak == Weak::kFloat && step.weak == Weak::kFloat) return Scalar::real(start.get<double>() + step.get<double>());
  const Operand operands[] = {start, step};
  const Array second = elementwise(op::Op::add, operands);
  Scalar next = Scalar::of(second.dtype(), 0);
  std::memcpy(next.bytes, second.data(), item_size(second.dtype()));
  return next;
}

}  // namespace

Array arange(const Scalar& start, const Scalar& step, int64_t count, DType dtype) {
  const trace::NativeTime time;
  Array result = Array::empty(Dims{count}, dtype);
  trace::count_native(result.nbytes());
  if (count == 0) return result;
  const int64_t item = item_size(dtype);
  std::memcpy(result.data(), cast_scalar(start, dtype).bytes, item);
  if (count == 1) return result;
  std::memcpy(result.data() + item, cast_scalar(sum(start, step), dtype).bytes, item);
  if (count > 2) fill_range(dtype, result.data(), count);
  return result;
}

Array full(const Dims& shape, DType dtype, const Scalar& value, Order order) {
  Array result = Array::empty(shape, dtype, order);
  fill_new(result.view(), value);
  return result;
}

Array concatenate(std::span<const View> parts, int axis, const ElementwiseOptions& options) {
  const Dims shape = joined_shape(parts, &axis);
  std::vector<DType> dtypes;
  for (const View& part : parts) dtypes.push_back(part.dtype);
  DType dtype = promote_all(dtypes);
  if (options.dtype) dtype = *options.dtype;
  Array result = prepare_output(shape, dtype, parts, options);
  View place = result.view();
  for (const View& part : parts) {
    place.shape[axis] = part.shape[axis];
    assign(place, part, options.casting, options.status);
    place.data += part.shape[axis] * place.strides[axis];
  }
  return result;
}

}  // namespace manycore::evaluate
