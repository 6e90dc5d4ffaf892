#include <algorithm>

#include "fuse/pass.h"
#include "program/base_map.h"

namespace manycore::fuse {

void insert_frees(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  program::BaseMap<bool> freed;  // by an earlier run of the passes that did not come to its end
  for (const Instruction& instruction : all) {
    if (instruction.kind == Kind::kFree) freed[instruction.output.base.get()] = true;
  }
  std::vector<std::pair<int, BufferRef>> after;
  for (const program::BaseUse& use : program::base_uses(schedule.program)) {
    if (!use.is_dead || use.base->is_foreign() || freed.contains(use.base)) continue;
    use.base->retain();
    after.emplace_back(use.last, BufferRef::adopt(use.base));
  }
  if (after.empty()) return;
  std::sort(after.begin(), after.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  // In place, from the back: instructions are large.
  size_t from = all.size(), to = from + after.size();
  all.resize(to);
  for (auto next = after.rbegin(); next != after.rend(); ++next) {
    while (from > static_cast<size_t>(next->first) + 1) all[--to] = std::move(all[--from]);
    Instruction& free = all[--to] = Instruction();
    free.kind = Kind::kFree;
    free.output.base = std::move(next->second);
  }
}

}  // namespace manycore::fuse
