#include "evaluate/arg_reduce.h"

#include <algorithm>
#include <cstring>

#include "evaluate/assign.h"
#include "evaluate/reduce_result.h"
#include "kernel/arg_reduce.h"
#include "sched/parallel.h"

namespace manycore::evaluate {
namespace {

constexpr int64_t kChunk = 1 << 17;  // elements of one long run that a task searches
constexpr int64_t kColumns = 512;    // columns that keep their best values in the first-level cache

const char* name_of_arg(Reduction reduction) { return reduction == Reduction::kArgmin ? "argmin" : "argmax"; }

int64_t search_run(const kernel::ArgLoops& loops, const std::byte* data, int64_t stride, int64_t n) {
  if (n < 2 * kChunk) return loops.run(data, stride, n);
  std::vector<int64_t> found(static_cast<size_t>((n + kChunk - 1) / kChunk));
  sched::parallel_for(static_cast<int64_t>(found.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i * kChunk;
      found[static_cast<size_t>(i)] = first + loops.run(data + first * stride, stride, std::min(kChunk, n - first));
    }
  });
  int64_t best = found[0];
  for (int64_t candidate : found) {
    if (loops.replaces(data + best * stride, data + candidate * stride)) best = candidate;
  }
  return best;
}

// Results lie C-contiguous at `out`, one per index of `kept`.
struct Search {
  const kernel::ArgLoops& loops;
  const View& input;
  int axis;
  Dims kept_shape;
  Dims kept_strides;

  const std::byte* at(int64_t result) const {
    const std::byte* p = input.data;
    for (int i = kept_shape.size() - 1; i >= 0; --i) {
      p += result % kept_shape[i] * kept_strides[i];
      result /= kept_shape[i];
    }
    return p;
  }
};

void search_each(const Search& search, int64_t* out, int64_t begin, int64_t end) {
  const int64_t stride = search.input.strides[search.axis], extent = search.input.shape[search.axis];
  const int64_t last = search.kept_shape.back(), step = search.kept_strides.back();
  for (int64_t i = begin; i < end;) {
    const std::byte* p = search.at(i);
    const int64_t stop = std::min(end, i - i % last + last);
    for (; i < stop; ++i, p += step) out[i] = search.loops.run(p, stride, extent);
  }
}

// Results [begin, end) all lie along the last kept axis: the rows of the searched axis pass by one after the other.
void search_columns(const Search& search, int64_t* out, int64_t begin, int64_t end) {
  const int64_t item = item_size(search.input.dtype), stride = search.kept_strides.back();
  alignas(64) std::byte best[kColumns * 16];
  const std::byte* row = search.at(begin);
  const int64_t n = end - begin;
  for (int64_t j = 0; j < n; ++j) std::memcpy(best + j * item, row + j * stride, static_cast<size_t>(item));
  std::fill_n(out + begin, n, 0);
  for (int64_t i = 1; i < search.input.shape[search.axis]; ++i) {
    search.loops.row(best, out + begin, row + i * search.input.strides[search.axis], stride, n, i);
  }
}

void search_axis(const Search& search, int64_t* out, int64_t results) {
  const int64_t extent = search.input.shape[search.axis];
  if (results == 1) {
    out[0] = search_run(search.loops, search.at(0), search.input.strides[search.axis], extent);
    return;
  }
  const bool columns = std::abs(search.kept_strides.back()) < std::abs(search.input.strides[search.axis]);
  if (!columns) {
    const int64_t grain = std::max<int64_t>(1, (64 << 10) / extent);
    sched::parallel_for(results, grain, [&](int64_t begin, int64_t end) { search_each(search, out, begin, end); });
    return;
  }
  const int64_t last = search.kept_shape.back();
  const int64_t blocks = (last + kColumns - 1) / kColumns;
  const int64_t grain = std::max<int64_t>(1, (64 << 10) / (extent * std::min(last, kColumns)));
  sched::parallel_for(results / last * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i / blocks * last + i % blocks * kColumns;
      search_columns(search, out, first, std::min(first + kColumns, (i / blocks + 1) * last));
    }
  });
}

void check_output(const Array* output, const Dims& shape, Reduction reduction) {
  if (output == nullptr) return;
  if (!(output->shape() == shape))
    throw UserError(ErrorKind::kValue, std::string("output array does not match result of np.") + name_of_arg(reduction) + ".");
  if (!can_cast(output->dtype(), DType::kInt64, Casting::kSafe))
    throw UserError(ErrorKind::kType, std::string("Cannot cast array data from dtype('") + name_of(output->dtype()) +
                                          "') to dtype('int64') according to the rule 'safe'");
}

// Without an axis the elements count in C order: a one-dimensional view where there is one, else a copy.
View flatten(const View& input, Array* keep) {
  View flat;
  const Dims shape{input.size()};
  if (try_reshape(input, shape, false, &flat)) return flat;
  *keep = copy(input, CopyOrder::kC);
  try_reshape(keep->view(), shape, false, &flat);
  return flat;
}

}  // namespace

Array arg_reduce(Reduction reduction, const View& input, const ReduceOptions& options) {
  const bool one_line = input.ndim() == 1 || (!options.axes && input.is_c_contiguous());
  if (one_line && options.output == nullptr && !options.keepdims && input.size() > 0) {
    // The everyday call, kept short: it costs little more than the search itself on small arrays.
    if (options.axes) normalize_axes(*options.axes, 1);
    const Array result = Array::empty({}, DType::kInt64);
    const int64_t stride = input.ndim() == 1 ? input.strides[0] : item_size(input.dtype);
    *reinterpret_cast<int64_t*>(result.data()) =
        search_run(kernel::find_arg(reduction, input.dtype), input.data, stride, input.size());
    return result;
  }
  Array keep;
  const bool whole = !options.axes;
  const View view = whole ? flatten(input, &keep) : input;
  const int axis = whole ? 0 : static_cast<int>(normalize_axes(*options.axes, input.ndim())[0]);
  if (view.shape[axis] == 0)
    throw UserError(ErrorKind::kValue, std::string("attempt to get ") + name_of_arg(reduction) + " of an empty sequence");
  Search search{kernel::find_arg(reduction, view.dtype), view, axis, view.shape, view.strides};
  search.kept_shape.erase(axis);
  search.kept_strides.erase(axis);
  Dims shape = search.kept_shape;
  if (options.keepdims) shape = whole ? Dims(input.ndim(), 1) : input.shape;
  if (options.keepdims && !whole) shape[axis] = 1;
  check_output(options.output, shape, reduction);
  Array result = Array::empty(shape, DType::kInt64);
  if (result.size() > 0) search_axis(search, reinterpret_cast<int64_t*>(result.data()), result.size());
  if (options.output == nullptr) return result;
  assign(options.output->view(), result.view(), Casting::kUnsafe);
  return *options.output;
}

}  // namespace manycore::evaluate
