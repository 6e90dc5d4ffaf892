#include "fuse/pass.h"

namespace manycore::fuse {

// At the end of the program: place_frees finds the group that uses the base last.
void insert_frees(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  program::BaseMap<bool> freed;  // by an earlier run of the passes that did not come to its end
  for (const Instruction& instruction : all) {
    if (instruction.kind == Kind::kFree) freed[instruction.output.base.get()] = true;
  }
  std::vector<Buffer*> dead;
  for (const program::BaseUse& use : schedule.bases.uses()) {
    if (use.is_dead && !use.base->is_foreign() && !freed.contains(use.base)) dead.push_back(use.base);
  }
  all.reserve(all.size() + dead.size());
  for (Buffer* base : dead) {
    Instruction& free = all.emplace_back();
    free.kind = Kind::kFree;
    base->retain();
    free.output.base = BufferRef::adopt(base);
  }
}

}  // namespace manycore::fuse
