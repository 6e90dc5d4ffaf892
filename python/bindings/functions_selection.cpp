// where, clip and copyto.
#include "bindings/function_object.h"
#include "bindings/operation_inputs.h"
#include "bindings/ufunc_call.h"
#include "evaluate/assign.h"
#include "evaluate/create.h"

namespace manycore::python {
namespace {

PyObject* where(FunctionCall& call) {
  if (call.kwnames != nullptr || call.nargs != 3) {
    if (call.nargs != 1 || call.kwnames != nullptr || !is_array(call.args[0])) return call.decline("arguments that only NumPy serves");
    return PyObject_CallMethod(call.args[0], "nonzero", nullptr);
  }
  Inputs inputs;
  const int taken = inputs.add_all(call.args, 3);
  if (taken != 1) return taken == 0 ? call.decline("type of an operand") : nullptr;
  if (!inputs.has_array()) return call.decline("no array among the operands");
  const auto operands = inputs.operands();
  Array result;
  {
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
  if (values[0] == nullptr || (not_given(least) && not_given(most)) || (!not_given(values[1]) && !not_given(values[4])) ||
      (!not_given(values[2]) && !not_given(values[5]))) {
    return call.decline("arguments that only NumPy serves");
  }
  // numpy.clip with one bound is minimum or maximum.
  const op::Op operation = not_given(least) ? op::Op::minimum : not_given(most) ? op::Op::maximum : op::Op::clip;
  PyObject* operands[3] = {values[0], not_given(least) ? most : least, most};
  Inputs inputs;
  const int taken = inputs.add_all(operands, operation == op::Op::clip ? 3 : 2);
  if (taken != 1) return taken == 0 ? call.decline("type of an operand") : nullptr;
  if (!inputs.has_array()) return call.decline("no array among the operands");
  evaluate::ElementwiseOptions options;
  Array output;
  PyObject* outputs[2] = {nullptr, nullptr};
  if (!not_given(values[3])) {
    if (const int usable = take_output(values[3], &output); usable != 1) return usable == 0 ? call.decline("argument out") : nullptr;
    options.outputs[0] = &output;
    outputs[0] = values[3];
  }
  Refusal refusal;
  PyObject* result = run_operation(operation, inputs, options, outputs, "clip", &refusal);
  if (!refusal.error.empty()) throw UserError(ErrorKind::kValue, refusal.error);
  return result;
}

PyObject* copyto(FunctionCall& call) {
  static constexpr const char* names[] = {"dst", "src", "casting", "where"};
  PyObject* values[4];
  if (!parse(call, names, values)) return nullptr;
  Array destination;
  Casting casting = Casting::kSameKind;
  if (values[0] == nullptr || values[1] == nullptr || (values[2] != nullptr && !casting_from(values[2], &casting)) ||
      (values[3] != nullptr && values[3] != Py_True) || take_output(values[0], &destination) != 1 || !is_array(values[1])) {
    return PyErr_Occurred() != nullptr ? nullptr : call.decline("arguments that only NumPy serves");
  }
  const Array& source = array_of(values[1]);
  if (is_complex(source.dtype()) && !is_complex(destination.dtype())) return call.decline("cast discards the imaginary part");
  unsigned status = 0;
  {
    ReleaseForLarge released(destination.size());
    evaluate::assign(destination.view(), source.view(), casting, &status);
  }
  if (status != 0 && report_floating_point(status, "cast") < 0) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace

const NativeFunctionRow kSelectionFunctions[] = {
    {"numpy.where", where}, {"numpy.clip", clip}, {"numpy.copyto", copyto}, {nullptr, nullptr}};

}  // namespace manycore::python
