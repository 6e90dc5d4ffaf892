// dot, and what is a matrix product with other axes.
#include "bindings/function_object.h"
#include "bindings/operation_inputs.h"
#include "evaluate/matmul.h"
#include "evaluate/refused.h"

namespace manycore::python {
namespace {

PyObject* dot(FunctionCall& call) {
  static constexpr const char* names[] = {"a", "b", "out"};
  PyObject* values[3];
  if (!parse(call, names, values)) return nullptr;
  if (values[0] == nullptr || values[1] == nullptr) return call.decline("arguments that only NumPy serves");
  Array operands[2], output;
  for (int i = 0; i < 2; ++i) {
    const int taken = take_array(values[i], &operands[i]);
    if (taken != 1) return taken == 0 ? call.decline("type of an operand") : nullptr;
  }
  const View &left = operands[0].described(), &right = operands[1].described();
  if (left.ndim() > 0 && right.ndim() > 0 && !evaluate::matmul_meets(left, right)) return call.refuse("shapes of the operands");
  evaluate::ElementwiseOptions options;
  if (!not_given(values[2])) {
    // dot is strict about its out: NumPy checks dtype and layout before anything is written.
    if (const int usable = take_output(values[2], &output); usable != 1)
      return usable == 0 ? call.decline("argument out") : nullptr;
    if (!output.is_c_contiguous()) return call.decline("argument out");
    options.outputs[0] = &output;
  }
  unsigned status = 0;
  options.status = &status;
  Array result;
  {
    ReleaseForLarge released(operands[0].size() + operands[1].size());
    result = evaluate::dot(operands[0].view(), operands[1].view(), options);
  }
  if (status != 0 && report_floating_point(status, "dot") < 0) return nullptr;
  return options.outputs[0] != nullptr ? Py_NewRef(values[2]) : wrap_or_scalar(std::move(result));
}

}  // namespace

const NativeFunctionRow kProductFunctions[] = {{"numpy.dot", dot}, {nullptr, nullptr}};

}  // namespace manycore::python
