#include <algorithm>
#include <unordered_set>

#include "fuse/pass.h"

namespace manycore::fuse {

void insert_frees(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  std::unordered_set<Buffer*> freed;  // by an earlier run of the passes that did not come to its end
  for (const Instruction& instruction : all) {
    if (instruction.kind == Kind::kFree) freed.insert(instruction.output.base.get());
  }
  std::vector<std::pair<int, BufferRef>> after;
  for (const program::BaseUse& use : program::base_uses(schedule.program)) {
    if (!use.is_dead || use.base->is_foreign() || freed.contains(use.base)) continue;
    use.base->retain();
    after.emplace_back(use.last, BufferRef::adopt(use.base));
  }
  if (after.empty()) return;
  std::sort(after.begin(), after.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Instruction> result;
  result.reserve(all.size() + after.size());
  auto next = after.begin();
  for (size_t i = 0; i < all.size(); ++i) {
    result.push_back(std::move(all[i]));
    for (; next != after.end() && next->first == static_cast<int>(i); ++next) {
      Instruction& free = result.emplace_back();
      free.kind = Kind::kFree;
      free.output.base = std::move(next->second);
    }
  }
  all = std::move(result);
}

}  // namespace manycore::fuse
