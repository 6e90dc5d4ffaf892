#include "evaluate/reduce_order.h"

#include <algorithm>
#include <cstdlib>

namespace manycore::evaluate {
namespace {

// Should axis `a` run outside of axis `b`? A comparison exists where an operand moves along both. Operands that disagree keep
// C order, in which `a` is the outer one.
enum class Comparison { kUndecided, kKeep, kSwap };

Comparison compare(const ReduceOrder& order, int operands, int a, int b) {
  Comparison result = Comparison::kUndecided;
  for (int k = 0; k < operands; ++k) {
    const int64_t outer = std::abs(order.stride[k][a]), inner = std::abs(order.stride[k][b]);
    if (outer == 0 || inner == 0) continue;
    if (inner <= outer) {
      result = Comparison::kKeep;
    } else if (result == Comparison::kUndecided) {
      result = Comparison::kSwap;
    }
  }
  return result;
}

void move_loop(ReduceOrder* order, int from, int to) {
  const auto rotate = [&](auto* values) { std::rotate(values + to, values + from, values + from + 1); };
  rotate(order->shape);
  rotate(order->axis_order);
  for (auto& strides : order->stride) rotate(strides);
}

// Stable insertion sort from the last axis on, as NumPy's.
void sort_loops(ReduceOrder* order, int operands) {
  for (int i = 1; i < order->ndim; ++i) {
    int position = i;
    for (int j = i - 1; j >= 0; --j) {
      const Comparison comparison = compare(*order, operands, i, j);
      if (comparison == Comparison::kSwap) position = j;
      if (comparison == Comparison::kKeep) break;
    }
    if (position != i) move_loop(order, i, position);
  }
}

// The third operand always has a say: a mean that NumPy's iterator never saw may lie differently in memory. Where it does,
// only loops over results stay apart, so that no order of additions depends on it.
void merge_loops(ReduceOrder* order) {
  int last = 0;
  for (int i = 1; i < order->ndim; ++i) {
    bool merges = true;
    const bool dropped = order->shape[last] == 1 || order->shape[i] == 1;
    for (const auto& strides : order->stride) {
      merges = merges && (dropped || strides[last] * order->shape[last] == strides[i]);
    }
    if (!merges) ++last;
    if (!merges || order->shape[last] == 1) {
      for (auto& strides : order->stride) strides[last] = strides[i];
    }
    order->shape[last] = merges ? order->shape[last] * order->shape[i] : order->shape[i];
  }
  order->ndim = last + 1;
}

// NumPy's estimate of the overhead: (1 + buffered operands) / elements per call, minimised over how many loops form the core.
void choose_runs(ReduceOrder* order, int operands, bool input_is_cast, bool output_is_cast) {
  int single_stride[3] = {1, 1, 1};
  const bool cast[3] = {output_is_cast, input_is_cast, false};
  int cost = 1 + input_is_cast + output_is_cast;
  int best_loop = 0, best_cost = cost, outer_reduced = 0;
  int64_t size = order->shape[0], best_size = size, best_core = 1;
  for (int i = 1; i < order->ndim && outer_reduced == 0; ++i) {
    if (size >= kNumpyBuffer && cost > 1) break;
    for (int k = 0; k < operands; ++k) {
      const int64_t* stride = order->stride[k];
      if (single_stride[k] == i) {
        if (stride[i - 1] * order->shape[i - 1] == stride[i]) {
          ++single_stride[k];
          continue;
        }
        cost += !cast[k];
      }
      if (k == ReduceOrder::kOut && (stride[i] == 0 || stride[i - 1] == 0)) outer_reduced = i;
    }
    const int64_t core = size;
    size *= order->shape[i];
    double elements = static_cast<double>(size);
    if (elements > kNumpyBuffer && cost > 1) elements = kNumpyBuffer;
    if (cost * static_cast<double>(best_size) <= best_cost * elements) {
      best_cost = cost;
      best_core = core;
      best_size = size;
      best_loop = i;
    }
  }
  const bool outer_loop = outer_reduced != 0 && best_loop == outer_reduced;
  bool buffered = false;
  for (int k = 0; k < operands; ++k) {
    // With an outer loop over the result, its own stride and unbuffered operands that move evenly need no buffer.
    const bool own_stride =
        outer_loop && ((k == ReduceOrder::kOut && outer_reduced != 0) || (single_stride[k] == best_loop && !cast[k]) ||
                       (order->stride[k][outer_reduced] == 0 && single_stride[k] <= best_loop));
    buffered = buffered || cast[k] || single_stride[k] + own_stride <= best_loop;
  }
  if (buffered && best_size > kNumpyBuffer) best_size = best_core * (kNumpyBuffer / best_core);
  order->group = outer_loop ? best_loop : best_loop + 1;
  order->run = outer_loop ? best_core : best_size;
}

}  // namespace

void plan_reduction(const View& in, const bool* reduced, const int64_t* out_strides, int64_t out_item, int64_t* new_out_strides,
                    const int64_t* third_strides, bool third_counts, bool input_is_cast, bool output_is_cast,
                    ReduceOrder* order) {
  const int ndim = in.ndim();
  const int operands = third_counts ? 3 : 2;
  order->ndim = ndim;
  for (int i = 0; i < ndim; ++i) {
    const int axis = ndim - 1 - i;
    const bool single = in.shape[axis] == 1;
    order->axis_order[i] = axis;
    order->shape[i] = in.shape[axis];
    order->stride[ReduceOrder::kIn][i] = single ? 0 : in.strides[axis];
    order->stride[ReduceOrder::kOut][i] = single || reduced[axis] || out_strides == nullptr ? 0 : out_strides[axis];
    order->stride[ReduceOrder::kThird][i] = single || third_strides == nullptr ? 0 : third_strides[axis];
  }
  if (ndim == 0) {
    order->ndim = 1;
    order->shape[0] = 1;
    for (auto& strides : order->stride) strides[0] = 0;
  } else {
    sort_loops(order, operands);
  }
  if (out_strides == nullptr) {
    int64_t stride = out_item;
    for (int i = 0; i < ndim; ++i) {
      const int axis = order->axis_order[i];
      new_out_strides[axis] = stride;  // of a reduced axis that is kept, too: what NumPy gives its one element
      order->stride[ReduceOrder::kOut][i] = reduced[axis] || in.shape[axis] == 1 ? 0 : stride;
      if (!reduced[axis]) stride *= std::max<int64_t>(in.shape[axis], 1);
    }
  }
  merge_loops(order);
  choose_runs(order, operands, input_is_cast, output_is_cast);
}

}  // namespace manycore::evaluate
