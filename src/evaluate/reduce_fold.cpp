#include "evaluate/reduce_fold.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "evaluate/reduce_runs.h"
#include "evaluate/status_scope.h"
#include "kernel/half.h"
#include "kernel/identity.h"
#include "kernel/loops.h"
#include "manycore/buffer.h"
#include "sched/parallel.h"

namespace manycore::evaluate {
namespace {

using kernel::Reduction;

constexpr int64_t kParallelBytes = 512 << 10;  // below, starting threads costs more than half of the work
constexpr int64_t kMaxPartials = 1 << 16;
constexpr int64_t kTreeNode = 1 << 15;  // elements of a pairwise tree that one task sums

// accumulator += sum, where the sum is float32 for float16.
void add_sum(const Fold& fold, std::byte* accumulator, const std::byte* sum) {
  if (fold.to == DType::kFloat16) {
    Half& half = *reinterpret_cast<Half*>(accumulator);
    half = kernel::to_half(half_to_float(half) + *reinterpret_cast<const float*>(sum));
  } else {
    fold.loops->run(accumulator, sum, item_size(fold.to), 1);
  }
}

void sum_run(const Fold& fold, std::byte* sum, const Run& run, int64_t n, const std::byte* mean) {
  if (fold.mean == nullptr)
    kernel::find_pairwise_sum(fold.to)(sum, run.data, run.stride, n);
  else
    kernel::find_deviation_sum(fold.loop_input)(sum, run.data, run.stride, n, mean);
}

void fold_deviations(const Fold& fold, std::byte* accumulator, const Run& run, int64_t n, const std::byte* mean) {
  alignas(16) std::byte sum[16];
  sum_run(fold, sum, run, n, mean);
  add_sum(fold, accumulator, sum);
}

// One slice of the fold on the calling thread.
class Slice {
 public:
  explicit Slice(const Fold& fold) : fold_(fold), order_(fold.order), runs_(fold) {}

  void run() {
    if (order_.inner_is_reduced()) {
      fold_runs();
    } else if (fold_.mean != nullptr) {
      fold_deviation_rows();
    } else if (fold_.cast != nullptr || fold_.where != nullptr) {
      fold_converted_rows();
    } else {
      fold_rows();
    }
  }

 private:
  void fold_runs() {
    const int64_t size = order_.group_size();
    if (order_.ndim > 1 && order_.group == 1 && order_.run >= size && fold_.cast == nullptr && fold_.where == nullptr &&
        fold_.mean == nullptr) {
      return fold_each_run();
    }
    for_each_outer(order_, order_.group, [&](const Offsets& at) {
      std::byte* accumulator = fold_.out + at.offset[0];
      for (int64_t first = 0; first < size; first += order_.run) {
        const int64_t count = std::min(order_.run, size - first);
        if (fold_.where == nullptr) {
          const Run run = runs_.values(at, first, count);
          if (fold_.mean == nullptr)
            fold_.loops->run(accumulator, run.data, run.stride, count);
          else
            fold_deviations(fold_, accumulator, run, count, fold_.mean + at.offset[2]);
        } else {
          fold_masked(accumulator, runs_.values(at, first, count), runs_.mask(at, first, count), count);
        }
      }
    });
  }

  // Whole runs, no conversion: loop 1 belongs to the kernel too.
  void fold_each_run() {
    for_each_outer(order_, 2, [&](const Offsets& at) {
      fold_.loops->each(fold_.out + at.offset[0], order_.stride[0][1], fold_.in + at.offset[1], order_.stride[1][0],
                        order_.shape[0], order_.shape[1], order_.stride[1][1]);
    });
  }

  // NumPy folds every stretch of selected elements on its own.
  void fold_masked(std::byte* accumulator, const Run& values, const Run& mask, int64_t count) {
    for (int64_t i = 0; i < count;) {
      while (i < count && mask.data[i * mask.stride] == std::byte{0}) ++i;
      const int64_t first = i;
      while (i < count && mask.data[i * mask.stride] != std::byte{0}) ++i;
      if (i > first) fold_.loops->run(accumulator, values.data + first * values.stride, values.stride, i - first);
    }
  }

  // Loop 1, where it is reduced too, goes to the kernel as rows.
  void fold_rows() {
    const bool paired = order_.ndim > 1 && order_.stride[0][1] == 0;
    const int64_t rows = paired ? order_.shape[1] : 1;
    const int64_t row_stride = paired ? order_.stride[1][1] : 0;
    for_each_outer(order_, paired ? 2 : 1, [&](const Offsets& at) {
      fold_.loops->rows(fold_.out + at.offset[0], order_.stride[0][0], fold_.in + at.offset[1], order_.stride[1][0],
                        order_.shape[0], rows, row_stride);
    });
  }

  void fold_deviation_rows() {
    const int64_t out_stride = order_.stride[0][0], mean_stride = order_.stride[2][0];
    const auto rows = kernel::find_deviation_rows(fold_.loop_input);
    const bool paired = order_.ndim > 1 && order_.stride[0][1] == 0 && fold_.cast == nullptr;
    for_each_outer(order_, paired ? 2 : 1, [&](const Offsets& at) {
      for (int64_t first = 0; first < order_.shape[0]; first += kNumpyBuffer) {
        const int64_t count = std::min(kNumpyBuffer, order_.shape[0] - first);
        const Run values = runs_.loop0(at, first, count);
        rows(fold_.out + at.offset[0] + first * out_stride, out_stride, fold_.mean + at.offset[2] + first * mean_stride,
             mean_stride, values.data, values.stride, count, paired ? order_.shape[1] : 1, paired ? order_.stride[1][1] : 0);
      }
    });
  }

  void fold_converted_rows() {
    const int64_t out_stride = order_.stride[0][0];
    for_each_outer(order_, 1, [&](const Offsets& at) {
      for (int64_t first = 0; first < order_.shape[0]; first += kNumpyBuffer) {
        const int64_t count = std::min(kNumpyBuffer, order_.shape[0] - first);
        const Run values = runs_.loop0(at, first, count);
        std::byte* accumulators = fold_.out + at.offset[0] + first * out_stride;
        if (fold_.where == nullptr) {
          fold_.loops->rows(accumulators, out_stride, values.data, values.stride, count, 1, 0);
          continue;
        }
        const int64_t mask_stride = order_.stride[2][0];
        const std::byte* mask = fold_.where + at.offset[2] + first * mask_stride;
        for (int64_t i = 0; i < count; ++i) {
          if (mask[i * mask_stride] == std::byte{0}) continue;
          fold_.loops->rows(accumulators + i * out_stride, out_stride, values.data + i * values.stride, values.stride, 1, 1, 0);
        }
      }
    });
  }

  const Fold& fold_;
  const ReduceOrder& order_;
  RunReader runs_;
};

void run_slice(const Fold& fold) {
  StatusScope scope(fold.status);
  Slice(fold).run();
}

// The fold over [begin, end) of one loop.
Fold sliced(const Fold& fold, int loop, int64_t begin, int64_t end) {
  Fold slice = fold;
  slice.order.shape[loop] = end - begin;
  slice.out += begin * fold.order.stride[0][loop];
  slice.in += begin * fold.order.stride[1][loop];
  if (fold.where != nullptr) slice.where += begin * fold.order.stride[2][loop];
  if (fold.mean != nullptr) slice.mean += begin * fold.order.stride[2][loop];
  return slice;
}

// The longest loop among those that are kept (or reduced); -1 without one.
int longest_loop(const ReduceOrder& order, int first, bool kept) {
  int best = -1;
  for (int i = first; i < order.ndim; ++i) {
    if ((order.stride[0][i] != 0) != kept) continue;
    if (best < 0 || order.shape[i] > order.shape[best]) best = i;
  }
  return best;
}

// Many results: every thread folds its own.
bool run_by_results(const Fold& fold, int64_t elements) {
  const int loop = longest_loop(fold.order, 0, true);
  if (loop < 0 || fold.order.shape[loop] < 4) return false;
  // A few chunks per thread; along contiguous memory no less than a page, so that threads do not share cache lines.
  const int64_t extent = fold.order.shape[loop];
  const int64_t per_index = std::max<int64_t>(1, elements / extent);
  int64_t grain = std::max<int64_t>(1, (32 << 10) / per_index);
  if (loop == 0) grain = std::max<int64_t>(grain, 512);
  if (grain * 2 > extent) return false;
  sched::parallel_for(extent, grain, [&](int64_t begin, int64_t end) { run_slice(sliced(fold, loop, begin, end)); });
  return true;
}

// Few results of an order-free fold: every chunk of a reduced loop folds into accumulators of its own.
bool run_by_parts(const Fold& fold) {
  const int loop = longest_loop(fold.order, 0, false);
  int64_t results = 1;
  for (int i = 0; i < fold.order.ndim; ++i) {
    if (fold.order.stride[0][i] != 0) results *= fold.order.shape[i];
  }
  if (loop < 0 || results > 4096) return false;
  const int64_t extent = fold.order.shape[loop];
  const int64_t chunks = std::min<int64_t>(extent, 64);
  if (chunks < 2) return false;
  const int64_t grain = (extent + chunks - 1) / chunks;
  const int64_t item = item_size(fold.to);
  const int64_t parts = (extent + grain - 1) / grain;
  BufferRef partials = BufferRef::adopt(Buffer::allocate(parts * results * item));
  Fold local = fold;
  int64_t stride = item;
  for (int i = 0; i < fold.order.ndim; ++i) {
    if (fold.order.stride[0][i] == 0) continue;
    local.order.stride[0][i] = stride;
    stride *= fold.order.shape[i];
  }
  alignas(16) std::byte start[16];
  const bool has_identity = kernel::identity(fold.reduction, fold.to, start);
  sched::parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      Fold piece = sliced(local, loop, part * grain, std::min(extent, (part + 1) * grain));
      piece.out = partials->data() + part * results * item;
      // Without an identity the fold is idempotent: the value that the results hold already may be folded in again.
      for_each_kept(fold.order, [&](int64_t index, int64_t offset) {
        std::memcpy(piece.out + index * item, has_identity ? start : fold.out + offset, static_cast<size_t>(item));
      });
      run_slice(piece);
    }
  });
  const Reduction join = fold.reduction == Reduction::kCountNonzero ? Reduction::kSum : fold.reduction;
  const kernel::ReduceLoops* loops = kernel::find_reduction(join, fold.to, fold.to);
  for_each_kept(fold.order, [&](int64_t index, int64_t offset) {
    loops->run(fold.out + offset, partials->data() + index * item, results * item, parts);
  });
  return true;
}

// The nodes of the pairwise tree with at most kTreeNode elements, left to right; fewer when the tree ends before.
void list_nodes(int64_t first, int64_t n, DType dtype, std::vector<std::pair<int64_t, int64_t>>* nodes) {
  if (n <= std::max(kTreeNode, kernel::pairwise_leaf(dtype))) {
    nodes->emplace_back(first, n);
    return;
  }
  const int64_t left = kernel::pairwise_split(n, dtype);
  list_nodes(first, left, dtype, nodes);
  list_nodes(first + left, n - left, dtype, nodes);
}

constexpr int64_t kSumSlot = 16;

// Joins the nodes' sums the way the tree does; `next` walks over them. The result lands in the slot of the leftmost node.
std::byte* join_nodes(const Fold& fold, int64_t n, const kernel::ReduceLoops& add, std::byte** next) {
  if (n <= std::max(kTreeNode, kernel::pairwise_leaf(fold.to))) return std::exchange(*next, *next + kSumSlot);
  const int64_t left = kernel::pairwise_split(n, fold.to);
  std::byte* a = join_nodes(fold, left, add, next);
  const std::byte* b = join_nodes(fold, n - left, add, next);
  add.run(a, b, kSumSlot, 1);
  return a;
}

void sum_long_run(const Fold& fold, std::byte* accumulator, const Run& run, int64_t n, const std::byte* mean) {
  std::vector<std::pair<int64_t, int64_t>> nodes;
  list_nodes(0, n, fold.to, &nodes);
  BufferRef sums = BufferRef::adopt(Buffer::allocate(static_cast<int64_t>(nodes.size()) * kSumSlot));
  sched::parallel_for(static_cast<int64_t>(nodes.size()), 1, [&](int64_t begin, int64_t end) {
    StatusScope scope(fold.status);
    for (int64_t i = begin; i < end; ++i) {
      const auto [first, count] = nodes[static_cast<size_t>(i)];
      sum_run(fold, sums->data() + i * kSumSlot, {run.data + first * run.stride, run.stride}, count, mean);
    }
  });
  StatusScope scope(fold.status);
  const DType sum_dtype = fold.to == DType::kFloat16 ? DType::kFloat32 : fold.to;
  std::byte* next = sums->data();
  const std::byte* total = join_nodes(fold, n, *kernel::find_reduction(Reduction::kSum, sum_dtype, sum_dtype), &next);
  add_sum(fold, accumulator, total);
}

// Few results of a pairwise sum: the runs' sums are found in parallel and added in NumPy's order.
bool run_by_sums(const Fold& fold, int64_t elements) {
  const ReduceOrder& order = fold.order;
  const int64_t size = order.group_size();
  const int64_t per_group = (size + order.run - 1) / order.run;
  const int64_t units = elements / size * per_group;
  if (units < 8 || (order.run >= 8 * kTreeNode && fold.cast == nullptr && order.group == 1)) {
    if (fold.cast != nullptr || order.group > 1) return false;
    RunReader runs(fold);
    for_each_outer(order, order.group, [&](const Offsets& at) {
      for (int64_t first = 0; first < size; first += order.run) {
        const int64_t count = std::min(order.run, size - first);
        sum_long_run(fold, fold.out + at.offset[0], runs.values(at, first, count), count, fold.mean + at.offset[2]);
      }
    });
    return true;
  }
  if (elements / units < 256) return false;
  BufferRef sums = BufferRef::adopt(Buffer::allocate(std::min(units, kMaxPartials) * kSumSlot));
  for (int64_t batch = 0; batch < units; batch += kMaxPartials) {
    const int64_t count = std::min(kMaxPartials, units - batch);
    const int64_t grain = std::max<int64_t>(1, kTreeNode / (elements / units));
    sched::parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      StatusScope scope(fold.status);
      RunReader runs(fold);
      for (int64_t i = begin; i < end; ++i) {
        const Offsets at = offsets_of(order, order.group, (batch + i) / per_group);
        const int64_t first = (batch + i) % per_group * order.run, n = std::min(order.run, size - first);
        sum_run(fold, sums->data() + i * kSumSlot, runs.values(at, first, n), n, fold.mean + at.offset[2]);
      }
    });
    StatusScope scope(fold.status);
    for (int64_t i = 0; i < count; ++i) {
      const Offsets at = offsets_of(order, order.group, (batch + i) / per_group);
      add_sum(fold, fold.out + at.offset[0], sums->data() + i * kSumSlot);
    }
  }
  return true;
}

// all and any of everything are often decided by the first elements: look there before threads are started.
bool is_decided_early(const Fold& fold) {
  const bool any = fold.reduction == Reduction::kAny;
  if ((!any && fold.reduction != Reduction::kAll) || longest_loop(fold.order, 0, true) >= 0) return false;
  Fold head = fold;
  for (int i = 0; i < fold.order.ndim; ++i) head.order.shape[i] = i == 0 ? std::min<int64_t>(fold.order.shape[0], 4096) : 1;
  head.order.run = std::min(head.order.run, head.order.shape[0]);
  run_slice(head);
  return (*fold.out != std::byte{0}) == any;
}

}  // namespace

bool choose_loops(Reduction reduction, DType from, DType to, Fold* fold) {
  fold->reduction = reduction;
  fold->from = from;
  fold->to = to;
  fold->cast = nullptr;
  fold->loop_input = from;
  fold->loops = kernel::find_reduction(reduction, from, to);
  if (fold->loops != nullptr) return true;
  fold->loops = kernel::find_reduction(reduction, to, to);
  fold->loop_input = to;
  fold->cast = kernel::find_cast(from, to);
  return fold->loops != nullptr;
}

void run_fold(const Fold& fold) {
  int64_t elements = 1;
  for (int i = 0; i < fold.order.ndim; ++i) elements *= fold.order.shape[i];
  if (elements == 0) return;
  if (elements * item_size(fold.from) >= kParallelBytes && sched::thread_count() > 1) {
    if (is_decided_early(fold)) return;
    if (run_by_results(fold, elements)) return;
    if (fold.where == nullptr && fold.loops->exact && run_by_parts(fold)) return;
    const bool sums = fold.reduction == Reduction::kSum && !fold.loops->exact && fold.order.inner_is_reduced();
    if (fold.where == nullptr && sums && run_by_sums(fold, elements)) return;
  }
  run_slice(fold);
}

}  // namespace manycore::evaluate
