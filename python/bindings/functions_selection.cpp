// where, clip and copyto.
#include "bindings/function_object.h"
#include "bindings/operation_inputs.h"
#include "bindings/ufunc_call.h"
#include "evaluate/assign.h"
#include "evaluate/create.h"
#include "evaluate/refused.h"

namespace manycore::python {
namespace {

PyObject* where(FunctionCall& call) {
  if (call.kwnames != nullptr || call.nargs != 3) {
    if (call.nargs != 1 || call.kwnames != nullptr || !is_array(call.args[0]))
      return call.decline("arguments that only NumPy serves");
    return PyObject_CallMethod(call.args[0], "nonzero", nullptr);
  }
  Inputs inputs;
  const int taken = inputs.add_all(call.args, 3);
  if (taken != 1) return taken == 0 ? call.decline("type of an operand") : nullptr;
  if (!inputs.has_array()) return call.decline("no array among the operands");
  const auto operands = inputs.operands();
  for (int i = 0; i < 3; ++i) {
    const View *one = operands[i].view, *other = operands[(i + 1) % 3].view;
    if (one && other && !evaluate::shapes_meet(one->shape, other->shape)) return call.refuse("shapes of the operands");
  }
  Array result;
  if (!evaluate::record_where(operands[0], operands[1], operands[2], &result)) {
    ReleaseForLarge released(inputs.largest());
    result = evaluate::where(operands[0], operands[1], operands[2]);
  }
  return wrap(std::move(result));  // zero dimensions stay an array, as in NumPy
}

PyObject* clip(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "a_min", "a_max", "out", "min", "max"};
  PyObject* values[6];
  if (!parse(call, names, values)) return nullptr;
  PyObject* least = not_given(values[1]) ? values[4] : values[1];
  PyObject* most = not_given(values[2]) ? values[5] : values[2];
  if (values[0] == nullptr || (values[1] == nullptr) != (values[2] == nullptr) || (not_given(least) && not_given(most)) ||
      (!not_given(values[1]) && !not_given(values[4])) || (!not_given(values[2]) && !not_given(values[5]))) {
    return call.decline("arguments that only NumPy serves");
  }
  // numpy.clip with one bound is minimum or maximum.
  const op::Op operation = not_given(least) ? op::Op::minimum : not_given(most) ? op::Op::maximum : op::Op::clip;
  PyObject* operands[3] = {values[0], not_given(least) ? most : least, most};
  Inputs inputs;
  const int taken = inputs.add_all(operands, operation == op::Op::clip ? 3 : 2);
  if (taken != 1) return taken == 0 ? call.decline("type of an operand") : nullptr;
  if (!inputs.has_array()) return call.decline("no array among the operands");
  inputs.make_strong(0);  // numpy.clip makes an array of what it clips, not of the bounds
  evaluate::ElementwiseOptions options;
  Array output;
  PyObject* outputs[2] = {nullptr, nullptr};
  if (!not_given(values[3])) {
    if (const int usable = take_output(values[3], &output); usable != 1)
      return usable == 0 ? call.decline("argument out") : nullptr;
    options.outputs[0] = &output;
    outputs[0] = values[3];
  }
  Refusal refusal;
  PyObject* result = run_operation(operation, inputs, options, outputs, "clip", &refusal);
  if (!refusal.error.empty()) return call.refuse(std::move(refusal.error));
  return result;
}

// May the value be stored under this rule? Bare numbers follow their kind, as NumPy 2 casts them.
bool storable(const evaluate::Operand& source, DType to, Casting casting) {
  if (source.view) return can_cast(source.view->dtype, to, casting);
  switch (source.scalar.weak) {
    case Weak::kStrong:
      return can_cast(source.scalar.dtype, to, casting);
    case Weak::kInteger:
      return to != DType::kBool;
    case Weak::kFloat:
      return is_inexact(to);
    case Weak::kComplex:
      return is_complex(to);
  }
  return false;
}

// destination[mask] = source: the operation that gives its operand back, with a mask. Bool has no `positive`.
void assign_where(const Array& destination, const evaluate::Operand& source, const View& mask, Casting casting,
                  unsigned* status) {
  evaluate::ElementwiseOptions options;
  options.outputs[0] = &destination;
  options.where = &mask;
  options.dtype = destination.dtype();
  options.casting = casting;
  options.status = status;
  const evaluate::Operand operands[] = {source, source};
  const bool truth = destination.dtype() == DType::kBool;
  evaluate::elementwise(truth ? op::Op::logical_and : op::Op::positive, {operands, truth ? size_t{2} : size_t{1}}, options);
}

PyObject* copyto(FunctionCall& call) {
  static constexpr const char* names[] = {"dst", "src", "casting", "where"};
  PyObject* values[4];
  if (!parse(call, names, values)) return nullptr;
  Array destination, mask;
  Casting casting = Casting::kSameKind;
  Inputs inputs;
  if (values[0] == nullptr || values[1] == nullptr || (values[2] != nullptr && !casting_from(values[2], &casting)) ||
      take_output(values[0], &destination) != 1 || inputs.add(values[1]) != 1) {
    return PyErr_Occurred() != nullptr ? nullptr : call.decline("arguments that only NumPy serves");
  }
  const evaluate::Operand& source = inputs.operands()[0];
  if (!storable(source, destination.dtype(), casting) || casting == Casting::kUnsafe) return call.decline("casting");
  // Where nothing may change, a bare number counts as NumPy's default dtype of its kind.
  if (!source.view && source.scalar.weak != Weak::kStrong && casting <= Casting::kEquiv) return call.decline("casting");
  const bool masked = values[3] != nullptr && values[3] != Py_True;
  if (masked && (take_array(values[3], &mask) != 1 || mask.dtype() != DType::kBool)) {
    return PyErr_Occurred() != nullptr ? nullptr : call.decline("argument where");
  }
  unsigned status = 0;
  {
    const bool recorded = !masked && (source.array ? evaluate::record_assign(destination, *source.array, casting)
                                                   : !source.view && evaluate::record_fill(destination, source.scalar));
    if (recorded) Py_RETURN_NONE;
    ReleaseForLarge released(destination.size());
    source.settle();
    if (masked) {
      assign_where(destination, source, mask.view(), casting, &status);
    } else if (source.view) {
      evaluate::assign(destination.view(), *source.view, casting, &status);
    } else {
      evaluate::fill(destination.view(), source.scalar, &status);
    }
  }
  if (status != 0 && report_floating_point(status, "cast") < 0) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace

const NativeFunctionRow kSelectionFunctions[] = {
    {"numpy.where", where}, {"numpy.clip", clip}, {"numpy.copyto", copyto}, {nullptr, nullptr}};

}  // namespace manycore::python
