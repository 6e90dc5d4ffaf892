#include "evaluate/elementwise.h"

#include <algorithm>
#include <string>

#include "base/options.h"
#include "evaluate/assign.h"
#include "evaluate/existing_output.h"
#include "evaluate/record.h"
#include "evaluate/weak.h"
#include "interpret/run.h"
#include "op/resolve.h"
#include "trace/counters.h"

namespace manycore::evaluate {
namespace {

using interpret::Job;
using interpret::kMaxOperands;
using interpret::make_empty;
using interpret::make_plan;

using op::Op;
using op::Signature;

// One call, step by step: each method reads what the ones before it left.
struct Call {
  Op operation;
  const op::OpInfo& info;
  std::span<const Operand> inputs;
  const ElementwiseOptions& options;
  Signature signature;
  View views[kMaxOperands];    // inputs, outputs, mask; all of the result's shape
  Scalar scalars[3];           // inputs that are scalars, in the loop's dtype
  Array copies[kMaxOperands];  // inputs moved out of the way of an output
  Array targets[2];            // outputs as computed; the caller's, or stand-ins where two overlap
  Dims shape;
  unsigned status = 0;

  Call(Op op, std::span<const Operand> given, const ElementwiseOptions& how)
      : operation(op), info(op::info(op)), inputs(given), options(how) {}
  int operand_count() const { return info.inputs + info.outputs; }

  void resolve() {
    op::OperandType types[3];
    for (int i = 0; i < info.inputs; ++i) {
      const Operand& input = inputs[i];
      types[i] =
          input.view ? op::OperandType{input.view->dtype, Weak::kStrong} : op::OperandType{input.scalar.dtype, input.scalar.weak};
    }
    signature = op::resolve(operation, std::span<const op::OperandType>(types, info.inputs), options.dtype, options.casting);
    for (int j = 0; j < info.outputs; ++j) {
      if (options.outputs[j]) {
        op::check_output_cast(operation, j, signature.outputs[j], options.outputs[j]->dtype(), options.casting);
      }
    }
  }

  void convert_scalars() {
    for (int i = 0; i < info.inputs; ++i) {
      if (inputs[i].view) {
        views[i] = *inputs[i].view;
        continue;
      }
      unsigned met = 0;
      scalars[i] = cast_scalar(inputs[i].scalar, signature.inputs[i], &met);
      const bool bare = inputs[i].scalar.weak != Weak::kStrong;
      status |= bare && (met & kOverflow) ? kOverflowInCast : met;
      views[i].data = scalars[i].bytes;
      views[i].dtype = signature.inputs[i];
    }
  }

  [[noreturn]] void fail_broadcast() const {
    std::string text = "operands could not be broadcast together with shapes ";
    for (int i = 0; i < info.inputs; ++i) text += shape_text(views[i].shape) + " ";
    for (int j = 0; j < info.outputs; ++j) {
      if (options.outputs[j]) text += shape_text(options.outputs[j]->shape()) + " ";
    }
    if (options.where) text += shape_text(options.where->shape) + " ";
    throw UserError(ErrorKind::kValue, text);
  }

  void widen(const Dims& other) {
    if (other == shape) return;
    try {
      shape = broadcast_shapes(shape, other);
    } catch (const UserError&) {
      fail_broadcast();
    }
  }

  void broadcast() {
    shape = views[0].shape;
    for (int i = 1; i < info.inputs; ++i) widen(views[i].shape);
    for (int j = 0; j < info.outputs; ++j) {
      if (options.outputs[j]) widen(options.outputs[j]->shape());
    }
    if (options.where) widen(options.where->shape);
    for (int j = 0; j < info.outputs; ++j) {
      if (options.outputs[j] && !(options.outputs[j]->shape() == shape)) {
        throw UserError(ErrorKind::kValue, "non-broadcastable output operand with shape " +
                                               shape_text(options.outputs[j]->shape()) + " doesn't match the broadcast shape " +
                                               shape_text(shape));
      }
    }
    for (int i = 0; i < info.inputs; ++i) {
      if (!(views[i].shape == shape)) views[i] = broadcast_to(views[i], shape);
    }
  }

  // What is pending on the operands comes first; promised addresses become real ones.
  void settle() {
    for (int i = 0; i < info.inputs; ++i) {
      if (!inputs[i].array) continue;
      inputs[i].settle();
      views[i] = *inputs[i].view;
    }
  }

  // A new output in NumPy's 'K' layout.
  Array allocate(DType dtype, bool promised = false) const {
    const View* order_by[3];
    int count = 0;
    bool c_order = true, f_order = true;
    for (int i = 0; i < info.inputs; ++i) {
      if (!inputs[i].view || inputs[i].view->ndim() == 0) continue;
      order_by[count++] = &views[i];
      c_order &= views[i].is_c_contiguous();
      f_order &= views[i].is_f_contiguous() && views[i].dtype == signature.inputs[i];
    }
    const interpret::MakeArray make = promised ? promise : make_empty;
    if (c_order || shape.size() < 2) return make(shape, dtype);
    if (f_order && info.outputs == 1) {  // NumPy runs it without its iterator, which would put axes of one element last
      Dims reversed = shape;
      std::reverse(reversed.begin(), reversed.end());
      return make(reversed, dtype).transpose();
    }
    return interpret::make_like_operands(order_by, count, shape, dtype, make);
  }

  // After broadcast(). A small operation on what is pending is recorded too: it would end the recording.
  bool may_be_recorded() const {
    bool pending = false;
    for (int i = 0; i < info.inputs; ++i) pending |= inputs[i].array && will_be_written(*inputs[i].array);
    if (!(pending ? may_record_any(shape) : worth_recording(shape))) return false;
    for (int i = 0; i < info.inputs; ++i) {
      if (inputs[i].view && !(inputs[i].array && may_stay_recorded(*inputs[i].array))) return false;
    }
    const Array* given = options.outputs[0];
    return status == 0 && !(given && (!may_stay_recorded(*given) || may_overlap_itself(given->described())));
  }

  bool record(Array* result) {
    program::Origin origin;
    if (!may_be_recorded() || !ask_to_record(&origin)) return false;
    const Array* given = options.outputs[0];
    program::Instruction instruction;
    instruction.kind = program::Kind::kElementwise;
    instruction.operation = operation;
    instruction.signature = signature;
    instruction.origin = origin;
    instruction.input_count = info.inputs;
    for (int i = 0; i < info.inputs; ++i) {
      if (inputs[i].array)
        instruction.inputs[i] = {inputs[i].array->buffer(), views[i], {}};
      else
        instruction.inputs[i].number = scalars[i];
    }
    const Array target = given ? *given : allocate(signature.outputs[0], true);
    instruction.output = {target.buffer(), target.described(), {}};
    int64_t bytes = target.nbytes();
    for (int i = 0; i < info.inputs; ++i) bytes += inputs[i].view ? inputs[i].view->nbytes() : 0;
    evaluate::record(std::move(instruction), bytes);
    *result = target;
    return true;
  }

  void place_outputs() {
    for (int j = 0; j < info.outputs; ++j) {
      if (options.outputs[j]) check_existing_output(options.outputs[j]->described());
      targets[j] = options.outputs[j] ? *options.outputs[j] : allocate(signature.outputs[j]);
    }
    if (info.outputs == 2 && options.outputs[0] && options.outputs[1] &&
        overlap(targets[0].view(), targets[1].view()) != Overlap::kNone) {
      targets[1] = Array::empty(shape, signature.outputs[1]);
    }
    for (int j = 0; j < info.outputs; ++j) views[info.inputs + j] = targets[j].view();
    if (options.where) views[operand_count()] = broadcast_to(*options.where, shape);
  }

  // An operand that is an output element by element is read before it is written; one that shares memory in another way
  // is copied first.
  void settle_overlap() {
    const int mask = options.where ? operand_count() : -1;
    for (int j = 0; j < info.outputs; ++j) {
      if (!options.outputs[j]) continue;
      for (int i = 0; i < kMaxOperands; ++i) {
        if (i >= info.inputs && i != mask) continue;
        if (i < info.inputs && !inputs[i].view) continue;
        const Overlap how = overlap(views[i], targets[j].view());
        if (how == Overlap::kNone || (how == Overlap::kSame && info.outputs == 1)) continue;
        copies[i] = copy(i == mask ? *options.where : *inputs[i].view);
        views[i] = broadcast_to(copies[i].view(), shape);
      }
    }
  }

  void execute() {
    Job job;
    const int count = operand_count() + (options.where ? 1 : 0);
    const View* ordered[kMaxOperands];
    for (int k = 0; k < count; ++k) {
      ordered[k] = &views[k];
      job.array_dtypes[k] = views[k].dtype;
      job.unaligned[k] = !views[k].is_aligned();
    }
    for (int i = 0; i < info.inputs; ++i) job.loop_dtypes[i] = signature.inputs[i];
    for (int j = 0; j < info.outputs; ++j) job.loop_dtypes[info.inputs + j] = signature.outputs[j];
    make_plan(ordered, count, info.inputs, &job.plan);
    job.loop = &kernel::find_loop(operation, signature.slot);
    job.inputs = info.inputs;
    job.outputs = info.outputs;
    job.masked = options.where != nullptr;
    job.fresh = !options.outputs[0] && !options.outputs[1];
    status |= interpret::run(job);
  }

  void deliver(std::span<Array> results) {
    trace::NativeCall call;
    int64_t bytes = 0;
    for (int i = 0; i < info.inputs; ++i) bytes += inputs[i].view ? inputs[i].view->nbytes() : 0;
    for (int j = 0; j < info.outputs; ++j) {
      if (options.outputs[j] && targets[j].data() != options.outputs[j]->data()) {
        assign(options.outputs[j]->view(), targets[j].view(), Casting::kUnsafe, &status);
        targets[j] = *options.outputs[j];
      }
      bytes += targets[j].nbytes();
      results[j] = std::move(targets[j]);
    }
    call.count(bytes);
    if (options.status) *options.status |= status;
  }
};

bool any_negative(const View& view) {
  if (view.size() == 0) return false;
  const Operand operands[] = {view, Scalar::integer(0)};
  const Array negative = elementwise(Op::less, operands);
  const std::byte* found = negative.data();
  const int64_t n = negative.size();
  for (int64_t i = 0; i < n; ++i) {
    if (found[i] != std::byte{0}) return true;
  }
  return false;
}

void check_exponents(const Call& call) {
  if (call.operation != Op::power || !is_signed_integer(call.signature.inputs[1])) return;
  const View& exponents = call.views[1];
  if (kind_of(exponents.dtype) == 'i' && any_negative(exponents)) {
    throw UserError(ErrorKind::kValue, "Integers to negative integer powers are not allowed.");
  }
}

bool compares_out_of_range(const Call& call) {
  if (call.info.inputs != 2 || std::string_view(call.info.types) != "compare") return false;
  for (int i = 0; i < 2; ++i) {
    const Operand& number = call.inputs[i];
    if (number.view || number.scalar.weak != Weak::kInteger || !is_integer(call.signature.inputs[i])) continue;
    if (side_of_range(number.scalar, call.signature.inputs[i]) != 0) return true;
  }
  return false;
}

// Comparison of an integer array with a Python integer that its dtype cannot hold: the answer is the same everywhere.
bool compares_beyond(Call& call, std::span<Array> results) {
  if (call.info.inputs != 2 || std::string_view(call.info.types) != "compare") return false;
  for (int i = 0; i < 2; ++i) {
    const Operand &number = call.inputs[i], &other = call.inputs[1 - i];
    if (number.view || number.scalar.weak != Weak::kInteger || !is_integer(call.signature.inputs[i])) continue;
    const int side = side_of_range(number.scalar, call.signature.inputs[i]);  // -1 below, 1 above
    if (side == 0) continue;
    const int order = i == 1 ? -side : side;  // how the first operand compares with the second
    bool answer = false;
    switch (call.operation) {
      case Op::not_equal:
        answer = true;
        break;
      case Op::less:
      case Op::less_equal:
        answer = order < 0;
        break;
      case Op::greater:
      case Op::greater_equal:
        answer = order > 0;
        break;
      default:
        break;
    }
    // An integer always equals itself: an ordinary loop gives the answer and minds shapes, outputs and masks.
    const Operand compared[] = {other, other};
    ElementwiseOptions plain = call.options;
    plain.dtype.reset();
    elementwise(answer ? Op::equal : Op::not_equal, compared, results, plain);
    return true;
  }
  return false;
}

// False where the result has too few elements to be recorded and no operand waits; found out before anything is resolved, since
// an operation on few elements that is not small_elementwise()'s comes here too.
bool may_be_large(std::span<const Operand> inputs, const ElementwiseOptions& options) {
  const int64_t least = base::integer_option(base::Option::record_from);
  if (options.outputs[0] && options.outputs[0]->size() >= least) return true;
  int64_t most = 1;  // elements of the result, however the operands broadcast
  for (const Operand& input : inputs) {
    if (!input.view) continue;
    if (input.array && will_be_written(*input.array)) return true;
    if (__builtin_mul_overflow(most, input.view->size(), &most)) return true;
  }
  return most >= least;
}

}  // namespace

void elementwise(Op operation, std::span<const Operand> inputs, std::span<Array> results, const ElementwiseOptions& options) {
  Call call(operation, inputs, options);
  call.resolve();
  if (compares_beyond(call, results)) return;
  call.convert_scalars();
  call.settle();
  check_exponents(call);  // before they are stretched
  call.broadcast();
  call.place_outputs();
  call.settle_overlap();
  call.execute();
  call.deliver(results);
}

bool record_elementwise(Op operation, std::span<const Operand> inputs, Array* result, const ElementwiseOptions& options) {
  if (!may_be_large(inputs, options)) return false;
  Call call(operation, inputs, options);
  if (options.where || call.info.outputs != 1) return false;
  call.resolve();
  // Integer exponents are looked at first, a comparison with a number out of range is answered without looking.
  if ((operation == Op::power && is_signed_integer(call.signature.inputs[1])) || compares_out_of_range(call)) return false;
  call.convert_scalars();
  call.broadcast();
  return call.record(result);
}

Array elementwise(Op operation, std::span<const Operand> inputs, const ElementwiseOptions& options) {
  Array result;
  elementwise(operation, inputs, std::span<Array>(&result, 1), options);
  return result;
}

}  // namespace manycore::evaluate
