// numpy.where with three arguments: elements are chosen as they are, after NumPy's promotion of the two arrays.
#include "evaluate/assign.h"
#include "evaluate/create.h"
#include "evaluate/record.h"
#include "evaluate/weak.h"
#include "interpret/run.h"
#include "op/resolve.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

struct Selection {
  const Operand* given[3];
  DType dtype;
  Scalar scalars[3];
  View views[4];  // the condition, both arrays, the result
  Dims shape;
  int64_t bytes = 0;

  Selection(const Operand& condition, const Operand& x, const Operand& y) : given{&condition, &x, &y} {
    op::OperandType types[2];
    for (int i = 0; i < 2; ++i) {
      const Operand& operand = *given[i + 1];
      types[i] = operand.view ? op::OperandType{operand.view->dtype, Weak::kStrong}
                              : op::OperandType{operand.scalar.dtype, operand.scalar.weak};
    }
    dtype = promote(op::settle_weak(types[0].weak, types[0].dtype, types), op::settle_weak(types[1].weak, types[1].dtype, types));
    for (int i = 0; i < 3; ++i) {
      if (given[i]->view) {
        views[i] = *given[i]->view;
        bytes += views[i].nbytes();
      } else {
        unsigned status = 0;
        scalars[i] = cast_scalar(given[i]->scalar, i == 0 ? DType::kBool : dtype, &status);
        if (status != 0) throw UserError(ErrorKind::kNotImplemented, "where: the cast of a number reports a condition");
        views[i].data = scalars[i].bytes;
        views[i].dtype = scalars[i].dtype;
      }
    }
    try {
      shape = broadcast_shapes(broadcast_shapes(views[0].shape, views[1].shape), views[2].shape);
    } catch (const UserError&) {
      throw UserError(ErrorKind::kValue, "operands could not be broadcast together with shapes " + shape_text(views[0].shape) +
                                             " " + shape_text(views[1].shape) + " " + shape_text(views[2].shape) + " ");
    }
    for (int i = 0; i < 3; ++i) {
      if (!(views[i].shape == shape)) views[i] = broadcast_to(views[i], shape);
    }
  }

  // In NumPy's 'K' layout.
  Array allocate(interpret::MakeArray make) const {
    const View* ordered[3] = {&views[0], &views[1], &views[2]};
    return interpret::make_like_operands(ordered, 3, shape, dtype, make);
  }

  bool may_be_recorded() const {
    if (!worth_recording(shape)) return false;
    for (const Operand* operand : given) {
      if (operand->view && !(operand->array && may_stay_recorded(*operand->array))) return false;
    }
    return true;
  }

  void settle() {
    for (int i = 0; i < 3; ++i) {
      if (!given[i]->array) continue;
      given[i]->settle();
      views[i] = broadcast_to(*given[i]->view, shape);
    }
  }
};

}  // namespace

bool record_where(const Operand& condition, const Operand& x, const Operand& y, Array* result) {
  const Selection selection(condition, x, y);
  program::Instruction instruction;
  if (!selection.may_be_recorded() || !ask_to_record(&instruction.origin)) return false;
  *result = selection.allocate(promise);
  instruction.kind = program::Kind::kSelect;
  instruction.input_count = 3;
  for (int i = 0; i < 3; ++i) {
    if (selection.given[i]->array)
      instruction.inputs[i] = {selection.given[i]->array->buffer(), selection.views[i], {}};
    else
      instruction.inputs[i].number = selection.scalars[i];
  }
  instruction.output = {result->buffer(), result->described(), {}};
  record(std::move(instruction), selection.bytes + result->nbytes());
  return true;
}

Array where(const Operand& condition, const Operand& x, const Operand& y) {
  const trace::NativeTime time;
  Selection selection(condition, x, y);
  selection.settle();
  const Array result = selection.allocate(interpret::make_empty);
  selection.views[3] = result.view();
  kernel::Loop loop;
  loop.run = kernel::find_select(selection.dtype);
  interpret::Job job;
  job.loop = &loop;
  job.inputs = 3;
  job.outputs = 1;
  job.fresh = true;
  const View* ordered[4];
  for (int k = 0; k < 4; ++k) {
    ordered[k] = &selection.views[k];
    job.array_dtypes[k] = selection.views[k].dtype;
    job.loop_dtypes[k] = k == 0 ? DType::kBool : selection.dtype;
    job.unaligned[k] = !selection.views[k].is_aligned();
  }
  interpret::make_plan(ordered, 4, 3, &job.plan);
  interpret::run(job);
  trace::count_native(selection.bytes + result.nbytes());
  return result;
}

}  // namespace manycore::evaluate
