#include "fuse/pass.h"
#include "kernel/loops.h"
#include "program/base_map.h"

namespace manycore::fuse {
namespace {

// Could running it tell the user something? Then it runs, even when nobody reads the result.
bool may_warn(const Instruction& instruction) {
  const unsigned reported = instruction.wanted_conditions();
  if (reported == 0) return false;
  if (instruction.kind == Kind::kSelect) return false;
  if (instruction.kind != Kind::kElementwise) return true;
  if (kernel::find_loop(instruction.operation, instruction.signature.slot).errors & reported) return true;
  for (int i = 0; i < instruction.input_count; ++i) {
    if (!instruction.inputs[i].is_number() && instruction.inputs[i].view.dtype != instruction.signature.inputs[i]) return true;
  }
  return instruction.output.view.dtype != instruction.signature.outputs[0];
}

}  // namespace

void drop_unused(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  struct Fate {
    bool is_dead = false, is_read = false;  // by what comes later
  };
  program::BaseMap<Fate> fates;
  for (const program::BaseUse& use : schedule.bases.uses()) fates[use.base].is_dead = use.is_dead;
  for (size_t i = all.size(); i-- > 0;) {
    Instruction& instruction = all[i];
    if (instruction.done || instruction.kind == Kind::kFree) continue;
    const Fate& written = fates[instruction.output.base.get()];
    if (written.is_dead && !written.is_read && !may_warn(instruction)) {
      instruction.done = true;
      continue;
    }
    for (int k = 0; k < instruction.input_count; ++k) {
      if (!instruction.inputs[k].is_number()) fates[instruction.inputs[k].base.get()].is_read = true;
    }
  }
}

}  // namespace manycore::fuse
