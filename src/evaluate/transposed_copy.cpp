#include "evaluate/transposed_copy.h"

#include "kernel/stream.h"
#include "kernel/transpose.h"
#include "sched/parallel.h"

namespace manycore::evaluate {
namespace {

using interpret::Plan;

constexpr int64_t kFewest = 8;             // rows or columns: below, squares of vectors hardly occur
constexpr int64_t kColumns = 64;           // of a panel
constexpr int64_t kGrainElements = 32768;  // that a thread takes at a time

// Rows of panels: the axes along which the destination is dense, innermost first. Columns: the axis along which the source is.
struct Layout {
  int column_axis = 0;
  int row_axes[kMaxDims], outer_axes[kMaxDims];
  int row_axis_count = 0, outer_axis_count = 0;
  int64_t rows = 1, columns = 1, outer = 1;
};

bool find_layout(const Plan& plan, int64_t item, Layout* layout) {
  const int64_t *from = plan.strides[0], *to = plan.strides[1];
  for (int axis = 1; axis < plan.ndim; ++axis) {
    if (from[axis] == item) layout->column_axis = axis;
  }
  if (layout->column_axis == 0 || to[0] != item || from[0] == 0) return false;
  layout->columns = plan.shape[layout->column_axis];
  for (int axis = 0; axis < plan.ndim; ++axis) {
    if (axis == layout->column_axis) continue;
    if (to[axis] == layout->rows * item) {
      layout->row_axes[layout->row_axis_count++] = axis;
      layout->rows *= plan.shape[axis];
    } else {
      layout->outer_axes[layout->outer_axis_count++] = axis;
      layout->outer *= plan.shape[axis];
    }
  }
  return layout->rows >= kFewest && layout->columns >= kFewest;
}

// How far into an operand element `number` of some axes lies.
int64_t offset_of(const Plan& plan, int operand, const int* axes, int count, int64_t number) {
  int64_t offset = 0;
  for (int i = 0; i < count; ++i) {
    offset += number % plan.shape[axes[i]] * plan.strides[operand][axes[i]];
    number /= plan.shape[axes[i]];
  }
  return offset;
}

struct Copier {
  const Plan& plan;
  const Layout& layout;
  int64_t item;
  bool past_caches;
  int64_t down, across, panels;

  Copier(const Plan& p, const Layout& l, int64_t size, bool streams) : plan(p), layout(l), item(size), past_caches(streams) {
    down = (layout.rows + kernel::kPanelRows - 1) / kernel::kPanelRows;
    across = (layout.columns + kColumns - 1) / kColumns;
    panels = down * across * layout.outer;
  }

  void copy_panel(int64_t number) const {
    const int64_t column = number % across * kColumns, row = number / across % down * kernel::kPanelRows,
                  outer = number / (across * down);
    std::byte *from = plan.data[0], *to = plan.data[1];
    from += column * item + offset_of(plan, 0, layout.outer_axes, layout.outer_axis_count, outer);
    to += column * plan.strides[1][layout.column_axis] + row * item +
          offset_of(plan, 1, layout.outer_axes, layout.outer_axis_count, outer);
    std::byte* rows[kernel::kPanelRows];
    const int64_t row_count = std::min(kernel::kPanelRows, layout.rows - row);
    for (int64_t i = 0; i < row_count; ++i) {
      rows[i] = from + offset_of(plan, 0, layout.row_axes, layout.row_axis_count, row + i);
    }
    kernel::transpose(
        {to, plan.strides[1][layout.column_axis], rows, row_count, std::min(kColumns, layout.columns - column), past_caches},
        item);
  }
};

}  // namespace

bool transposed_copy(const interpret::Plan& plan, int64_t item, bool past_caches, bool fresh) {
  Layout layout;
  if (!kernel::can_transpose(item) || plan.size < 4096 || !find_layout(plan, item, &layout)) return false;
  const Copier copier(plan, layout, item, past_caches);
  const int64_t grain = std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, plan.size / copier.panels));
  sched::parallel_for(
      copier.panels, grain,
      [&](int64_t begin, int64_t end) {
        for (int64_t number = begin; number < end; ++number) copier.copy_panel(number);
        if (past_caches) kernel::finish_stream();
      },
      fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish);
  return true;
}

}  // namespace manycore::evaluate
