#include <unordered_set>

#include "fuse/pass.h"
#include "kernel/loops.h"

namespace manycore::fuse {
namespace {

// Could running it tell the user something? Then it runs, even when nobody reads the result.
bool may_warn(const Instruction& instruction) {
  unsigned reported = instruction.origin.reported;
  for (const program::Origin& origin : instruction.echoes) reported |= origin.reported;
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
  std::unordered_set<Buffer*> dead;
  for (const program::BaseUse& use : program::base_uses(schedule.program)) {
    if (use.is_dead) dead.insert(use.base);
  }
  std::unordered_set<Buffer*> read;  // by what comes later
  for (size_t i = all.size(); i-- > 0;) {
    Instruction& instruction = all[i];
    if (instruction.done || instruction.kind == Kind::kFree) continue;
    Buffer* written = instruction.output.base.get();
    if (dead.contains(written) && !read.contains(written) && !may_warn(instruction)) {
      instruction.done = true;
      continue;
    }
    for (int k = 0; k < instruction.input_count; ++k) {
      if (!instruction.inputs[k].is_number()) read.insert(instruction.inputs[k].base.get());
    }
  }
}

}  // namespace manycore::fuse
