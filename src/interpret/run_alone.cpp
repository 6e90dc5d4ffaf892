#include "interpret/run_alone.h"

#include "base/options.h"
#include "interpret/run.h"
#include "trace/counters.h"
#include "trace/groups.h"

namespace manycore::interpret {
namespace {

using program::Instruction;
using program::Operand;

bool fits(const Instruction& instruction) {
  if (instruction.done || instruction.kind != program::Kind::kElementwise) return false;
  if (instruction.output.view.dtype != instruction.signature.outputs[0]) return false;
  for (int i = 0; i < instruction.input_count; ++i) {
    const Operand& input = instruction.inputs[i];
    if (!input.is_number() && input.view.dtype != instruction.signature.inputs[i]) return false;
  }
  return true;
}

bool groups_are_wanted() {
  return trace::keeps_groups() || base::integer_option(base::Option::block_elements) > 0 ||
         base::integer_option(base::Option::chunk_elements) > 0;
}

// Where the operand lies, with memory behind it; a number stands still.
View placed(Operand& operand, const Dims& shape) {
  if (!operand.is_number()) {
    operand.base->provide();
    operand.view.data = operand.base->resolve(operand.view.data);
    return operand.view;
  }
  View view;
  view.data = operand.number.bytes;
  view.dtype = operand.number.dtype;
  view.shape = shape;
  view.strides = Dims(shape.size());
  return view;
}

}  // namespace

bool run_alone(program::Program& program, std::vector<Report>* reports) {
  if (program.instructions.size() != 1 || !fits(program.instructions[0]) || groups_are_wanted()) return false;
  Instruction& instruction = program.instructions[0];
  const int inputs = instruction.input_count;
  Job job;
  job.fresh = !instruction.output.base->has_memory();
  View views[4];
  const View* ordered[4];
  for (int k = 0; k <= inputs; ++k) {
    views[k] = placed(k < inputs ? instruction.inputs[k] : instruction.output, instruction.output.view.shape);
    ordered[k] = &views[k];
    job.array_dtypes[k] = job.loop_dtypes[k] = views[k].dtype;
  }
  make_plan(ordered, inputs + 1, inputs, &job.plan);
  job.loop = &kernel::find_loop(instruction.operation, instruction.signature.slot);
  job.inputs = inputs;
  job.outputs = 1;
  const unsigned met = interpret::run(job) & instruction.origin.reported;
  if (met != 0) reports->push_back({instruction.origin, program::name_of(instruction), met});
  trace::count_group(1, views[inputs].nbytes(), 0);
  instruction.done = true;
  return true;
}

}  // namespace manycore::interpret
