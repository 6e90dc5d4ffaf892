#include "evaluate/matmul.h"

#include <atomic>

#include "evaluate/assign.h"
#include "evaluate/existing_output.h"
#include "evaluate/product.h"
#include "evaluate/status_scope.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

constexpr const char* kSignature = ", with gufunc signature (n?,k),(k,m?)->(n?,m?) ";

// Stacks of products this small run side by side; OpenBLAS itself stays on one thread below 262144 multiplications.
constexpr int64_t kSmallProduct = 1 << 18;

[[noreturn]] void fail_value(const std::string& message) { throw UserError(ErrorKind::kValue, message); }

void check_casting(const char* side, DType from, DType to, Casting casting) {
  if (can_cast(from, to, casting)) return;
  throw UserError(ErrorKind::kCasting, std::string("Cannot cast ufunc 'matmul' ") + side + " from dtype('" + name_of(from) +
                                           "') to dtype('" + name_of(to) + "') with casting rule '" + name_of(casting) + "'");
}

// An input as the loop wants it: the loop's dtype, aligned, at least two axes.
struct Input {
  Array held;  // a converted copy
  View view;

  Input(const View& source, DType dtype, bool is_left) : view(source) {
    if (source.dtype != dtype)
      view = (held = astype(source, dtype)).view();
    else if (!source.is_aligned())
      view = (held = copy(source)).view();
    if (view.ndim() > 1) return;
    int axis = is_left ? 0 : 1;
    view.shape.insert(axis, 1);
    view.strides.insert(axis, 0);
  }
  Dims stack() const { return Dims(std::span<const int64_t>(view.shape.data(), static_cast<size_t>(view.ndim() - 2))); }
  int64_t rows() const { return view.shape[view.ndim() - 2]; }
  int64_t columns() const { return view.shape[view.ndim() - 1]; }
};

// "(2,2,3)->(2,newaxis,newaxis)": NumPy's iterator sees the core axes as new ones.
std::string operand_text(const View& view) {
  int core = std::min(view.ndim(), 2);
  std::string text = shape_text(view.shape) + "->(";
  for (int axis = 0; axis < view.ndim() - core; ++axis) text.append(std::to_string(view.shape[axis])).append(",");
  return text.append(core == 2 ? "newaxis,newaxis)" : "newaxis)");
}

Dims broadcast_stacks(const View& a, const View& b, const Dims& stack_a, const Dims& stack_b, const Dims& core) {
  try {
    return broadcast_shapes(stack_a, stack_b);
  } catch (const UserError&) {
    fail_value("operands could not be broadcast together with remapped shapes [original->remapped]: " + operand_text(a) + " " +
               operand_text(b) + "  and requested shape " + shape_text(core));
  }
}

// What is asked, settled: every axis in place, `shape` without the axes that one-dimensional operands bring.
struct Plan {
  Dims stack;
  Dims core;   // the core axes that the result keeps
  Dims shape;  // stack and core
  int64_t rows, columns;
};

Plan settle(const View& a, const View& b, const Input& left, const Input& right) {
  if (left.columns() != right.rows())
    fail_value("matmul: Input operand 1 has a mismatch in its core dimension 0" + std::string(kSignature) + "(size " +
               std::to_string(right.rows()) + " is different from " + std::to_string(left.columns()) + ")");
  Plan plan;
  plan.rows = left.rows();
  plan.columns = right.columns();
  if (a.ndim() > 1) plan.core.push_back(plan.rows);
  if (b.ndim() > 1) plan.core.push_back(plan.columns);
  plan.stack = broadcast_stacks(a, b, left.stack(), right.stack(), plan.core);
  plan.shape = plan.stack;
  for (int64_t extent : plan.core) plan.shape.push_back(extent);
  return plan;
}

// The last axes of a given output must be the product's; its leading ones may broadcast the inputs wider.
void check_output(const Array& output, Plan& plan) {
  int core = plan.core.size();
  if (output.ndim() < core)
    fail_value("matmul: Output operand 0 does not have enough dimensions (has " + std::to_string(output.ndim()) +
               ", gufunc core with signature (n?,k),(k,m?)->(n?,m?) requires " + std::to_string(core) + ")");
  for (int axis = 0; axis < core; ++axis) {
    int64_t extent = output.shape()[output.ndim() - core + axis];
    if (extent != plan.core[axis])
      fail_value("matmul: Output operand 0 has a mismatch in its core dimension " + std::to_string(axis) + kSignature + "(size " +
                 std::to_string(extent) + " is different from " + std::to_string(plan.core[axis]) + ")");
  }
  Dims stack;
  for (int axis = 0; axis < output.ndim() - core; ++axis) stack.push_back(output.shape()[axis]);
  if (!(broadcast_shapes(plan.stack, stack) == stack))
    fail_value("non-broadcastable output operand with shape " + shape_text(output.shape()) +
               " doesn't match the broadcast shape " + shape_text(plan.shape));
  plan.stack = stack;
  plan.shape = output.shape();
}

// The view of one product's operand at a position in the stack.
struct Stack {
  View view;  // the whole, stack axes first
  View matrix;

  Stack(const View& whole, const Dims& stack, int64_t rows, int64_t columns) : view(whole) {
    Dims full = stack;
    full.push_back(rows);
    full.push_back(columns);
    view = broadcast_to(whole, full);
    int last = view.ndim() - 1;
    // broadcast_to zeroes the steps of extents 1; NumPy's loop sees the array's own, and they decide the routine.
    view.strides[last] = whole.strides[whole.ndim() - 1];
    view.strides[last - 1] = whole.strides[whole.ndim() - 2];
    matrix = {view.data, view.dtype, {rows, columns}, {view.strides[last - 1], view.strides[last]}};
  }
  std::byte* at(int64_t index) const {
    std::byte* data = view.data;
    if (view.ndim() == 3) return data + index * view.strides[0];  // most stacks: without a division
    for (int axis = view.ndim() - 3; axis >= 0; --axis) {
      data += index % view.shape[axis] * view.strides[axis];
      index /= view.shape[axis];
    }
    return data;
  }
};

void multiply_stacks(const Stack& a, const Stack& b, const Stack& c, int64_t count, unsigned* status,
                     sched::Interrupts interrupts) {
  Multiplication product(a.matrix, b.matrix, c.matrix);
  if (count == 1) return product.run_parallel(status, interrupts);
  int64_t work = a.matrix.shape[0] * a.matrix.shape[1] * b.matrix.shape[1];
  if (work > kSmallProduct) {
    for (int64_t i = 0; i < count; ++i) {
      auto moved = [&](const Stack& stack) {
        View view = stack.matrix;
        view.data = stack.at(i);
        return view;
      };
      Multiplication(moved(a), moved(b), moved(c)).run_parallel(status, interrupts);
    }
    return;
  }
  std::atomic<unsigned> met{0};
  int64_t grain = std::max<int64_t>(1, kSmallProduct / 2 / std::max<int64_t>(work, 256));
  sched::parallel_for(
      count, grain,
      [&](int64_t begin, int64_t end) {
        unsigned here = 0;
        {
          StatusScope scope(status ? &here : nullptr);
          for (int64_t i = begin; i < end; ++i) product.run(a.at(i), b.at(i), c.at(i));
        }
        if (here) met.fetch_or(here, std::memory_order_relaxed);
      },
      interrupts);
  if (status) *status |= met.load(std::memory_order_relaxed);
}

// The output with the core axes that one-dimensional inputs drop put back.
View with_core_axes(const View& output, bool has_rows, bool has_columns) {
  View view = output;
  if (!has_rows) {
    int axis = view.ndim() - (has_columns ? 1 : 0);
    view.shape.insert(axis, 1);
    view.strides.insert(axis, 0);
  }
  if (!has_columns) {
    view.shape.push_back(1);
    view.strides.push_back(0);
  }
  return view;
}

}  // namespace

Array matmul(const View& a, const View& b, const ElementwiseOptions& options) {
  for (const View* view : {&a, &b}) {
    if (view->ndim() > 0) continue;
    fail_value(std::string("matmul: Input operand ") + (view == &a ? "0" : "1") +
               " does not have enough dimensions (has 0, gufunc core with signature (n?,k),(k,m?)->(n?,m?) requires 1)");
  }
  trace::NativeCall call;
  DType dtype = options.dtype.value_or(promote(a.dtype, b.dtype));
  check_casting("input 0", a.dtype, dtype, options.casting);
  check_casting("input 1", b.dtype, dtype, options.casting);
  Input left(a, dtype, true);
  Input right(b, dtype, false);
  Plan plan = settle(a, b, left, right);
  const Array* output = options.outputs[0];
  if (output) {
    check_output(*output, plan);
    check_casting("output", dtype, output->dtype(), options.casting);
    check_existing_output(output->described());
  }
  // Written at once when nothing reads the same memory; else by way of a new array.
  bool direct = output && output->dtype() == dtype && output->view().is_aligned() &&
                overlap(output->view(), left.view) == Overlap::kNone && overlap(output->view(), right.view) == Overlap::kNone;
  Array result = direct ? *output : Array::empty(plan.shape, dtype);
  if (result.size() > 0) {
    Stack c(with_core_axes(result.view(), a.ndim() > 1, b.ndim() > 1), plan.stack, plan.rows, plan.columns);
    multiply_stacks(Stack(left.view, plan.stack, plan.rows, left.columns()),
                    Stack(right.view, plan.stack, right.rows(), plan.columns), c, result.size() / (plan.rows * plan.columns),
                    is_inexact(dtype) ? options.status : nullptr, direct ? sched::Interrupts::kFinish : sched::Interrupts::kStop);
  }
  call.count(a.nbytes() + b.nbytes() + (output ? *output : result).nbytes());
  if (!output || direct) return result;
  assign(output->view(), result.view(), options.casting, options.status);
  return *output;
}

}  // namespace manycore::evaluate
