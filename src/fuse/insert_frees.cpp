#include <unordered_set>

#include "fuse/pass.h"

namespace manycore::fuse {

void insert_frees(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  std::unordered_set<Buffer*> freed;  // by an earlier run of the passes that did not come to its end
  for (const Instruction& instruction : all) {
    if (instruction.kind == Kind::kFree) freed.insert(instruction.output.base.get());
  }
  std::vector<std::vector<BufferRef>> after(all.size());
  size_t count = 0;
  for (const program::BaseUse& use : program::base_uses(schedule.program)) {
    if (!use.is_dead || use.base->is_foreign() || freed.contains(use.base)) continue;
    use.base->retain();
    after[static_cast<size_t>(use.last)].push_back(BufferRef::adopt(use.base));
    ++count;
  }
  if (count == 0) return;
  std::vector<Instruction> result;
  result.reserve(all.size() + count);
  for (size_t i = 0; i < all.size(); ++i) {
    result.push_back(std::move(all[i]));
    for (BufferRef& base : after[i]) {
      Instruction& free = result.emplace_back();
      free.kind = Kind::kFree;
      free.output.base = std::move(base);
    }
  }
  all = std::move(result);
}

}  // namespace manycore::fuse
