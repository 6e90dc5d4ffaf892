#include "interpret/plan.h"

#include <cstdlib>

#include "base/check.h"
#include "kernel/stream.h"

namespace manycore::interpret {
namespace {

// Should `inner` lie outside `outer`, seen from these views? NumPy's rule: any view that has them in order keeps them;
// views that are broadcast along one of them have no say. Sets `decided` when some view has a say.
bool out_of_order(const View* const* views, int count, int inner, int outer, bool* decided) {
  bool swap = false;
  *decided = false;
  for (int k = 0; k < count; ++k) {
    if (views[k]->shape[inner] == 1 || views[k]->shape[outer] == 1) continue;
    const int64_t a = std::llabs(views[k]->strides[inner]), b = std::llabs(views[k]->strides[outer]);
    if (a == 0 || b == 0) continue;
    if (a <= b) {
      swap = false;
      *decided = true;
      return false;
    }
    if (!*decided) swap = true;
    *decided = true;
  }
  return swap;
}

// Insertion sort, innermost first, from C order.
void sort_axes(const View* const* views, int count, int ndim, int* axes) {
  for (int i = 0; i < ndim; ++i) axes[i] = ndim - 1 - i;
  for (int i = 1; i < ndim; ++i) {
    const int moving = axes[i];
    int place = i;
    for (int j = i - 1; j >= 0; --j) {
      bool decided;
      const bool swap = out_of_order(views, count, axes[j], moving, &decided);
      if (decided && !swap) break;
      if (swap) place = j;
    }
    for (int j = i; j > place; --j) axes[j] = axes[j - 1];
    axes[place] = moving;
  }
}

void append_axis(const View* const* views, int count, int axis, Plan* plan) {
  const int64_t extent = views[0]->shape[axis];
  if (extent == 1) return;
  bool backwards = false, forwards = false;
  for (int k = 0; k < count; ++k) {
    backwards |= views[k]->strides[axis] < 0;
    forwards |= views[k]->strides[axis] > 0;
  }
  const bool flip = backwards && !forwards;
  int64_t strides[kMaxPlanOperands];
  for (int k = 0; k < count; ++k) {
    strides[k] = flip ? -views[k]->strides[axis] : views[k]->strides[axis];
    if (flip) plan->data[k] += (extent - 1) * views[k]->strides[axis];
  }
  const int last = plan->ndim - 1;
  bool joins = plan->ndim > 0;
  for (int k = 0; k < count && joins; ++k) joins = strides[k] == plan->strides[k][last] * plan->shape[last];
  if (joins) {
    plan->shape[last] *= extent;
    return;
  }
  for (int k = 0; k < count; ++k) plan->strides[k][plan->ndim] = strides[k];
  plan->shape[plan->ndim++] = extent;
}

}  // namespace

void make_plan(const View* const* views, int count, int first_output, Plan* plan) {
  const int ndim = views[0]->ndim();
  plan->ndim = 0;
  plan->operands = count;
  plan->size = views[0]->size();
  MANYCORE_CHECK(count * std::max(1, ndim) <= PlanStrides::kMost);
  plan->strides.set_axes(std::max(1, ndim));
  for (int k = 0; k < count; ++k) plan->data[k] = views[k]->data;
  if (plan->size > 0) {
    int axes[kMaxDims];
    // Writing in address order matters most; inputs order what the outputs leave open.
    sort_axes(views + first_output, 1, ndim, axes);
    for (int i = 0; i < ndim; ++i) append_axis(views, count, axes[i], plan);
  }
  if (plan->ndim == 0) {
    plan->ndim = 1;
    plan->shape[0] = plan->size;
    for (int k = 0; k < count; ++k) plan->strides[k][0] = item_size(views[k]->dtype);
  }
}

void bring_to(Plan* plan, int axis, int place) {
  const auto rotate = [&](int64_t* values) { std::rotate(values + place, values + axis, values + axis + 1); };
  rotate(plan->shape);
  for (int k = 0; k < plan->operands; ++k) rotate(plan->strides[k]);
}

bool suits_streaming(const Plan& plan, int operand, int64_t item) {
  const int64_t threshold = kernel::streaming_bytes();
  return plan.size * item >= threshold && plan.strides[operand][0] == item &&
         plan.shape[0] * item >= std::min(kernel::kStreamedRun, threshold);
}

Tiling tile(const Plan& plan, int64_t run, int64_t rows) {
  Tiling tiling{run, rows, (plan.shape[0] + run - 1) / run, (plan.shape[1] + rows - 1) / rows, 1};
  tiling.count = tiling.across * tiling.down;
  for (int axis = 2; axis < plan.ndim; ++axis) tiling.count *= plan.shape[axis];
  return tiling;
}

// Two layouts want tiles: an input that is dense along another axis than the output (a transposed copy), and a short innermost
// axis, where the loop goes down the next axis instead of being called for every few elements.
Tiling choose_tiling(Plan* plan, int inputs) {
  constexpr int64_t kShort = 16, kWorthwhile = 4096;
  if (plan->ndim < 2 || plan->size < kWorthwhile) return {};
  const int longest = static_cast<int>(std::max_element(plan->shape + 1, plan->shape + plan->ndim) - plan->shape);
  if (plan->shape[0] <= kShort && plan->shape[longest] > plan->shape[0]) {
    const int64_t width = plan->shape[0];
    bring_to(plan, longest, 0);
    const int64_t reach = std::max<int64_t>(1, std::abs(plan->strides[inputs][0]));
    return tile(*plan, std::clamp<int64_t>((128 << 10) / reach, 64, 2048 / width), width);
  }
  for (int k = 0; k < inputs; ++k) {
    const int64_t here = std::abs(plan->strides[k][0]);
    int densest = 0;
    for (int axis = 1; axis < plan->ndim; ++axis) {
      const int64_t stride = std::abs(plan->strides[k][axis]);
      if (stride != 0 && stride < std::abs(plan->strides[k][densest])) densest = axis;
    }
    if (densest == 0) continue;
    bring_to(plan, densest, 1);
    // 512 lines of the input stay in L1 for the next rows, and the output is written in long runs: 3162 x 3162 float64
    // 13 ms, 19 row by row; 4096 x 4096 38 ms, 105 row by row (Zen 5).
    return tile(*plan, here < 64 ? 1024 : 512, 32);
  }
  return {};
}

Array make_like_operands(const View* const* views, int count, const Dims& shape, DType dtype, MakeArray make) {
  const int ndim = shape.size();
  int axes[kMaxDims];  // innermost first
  sort_axes(views, count, ndim, axes);
  Dims arranged(ndim), back(ndim);
  bool c_order = true;
  for (int i = 0; i < ndim; ++i) {
    const int axis = axes[ndim - 1 - i];
    c_order &= axis == i;
    arranged[i] = shape[axis];
    back[axis] = i;
  }
  return c_order ? make(shape, dtype) : make(arranged, dtype).transpose(back);
}

}  // namespace manycore::interpret
