#include "fuse/pass.h"
#include "program/base_map.h"

namespace manycore::fuse {

void place_frees(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  program::BaseMap<size_t> last_group;
  for (size_t g = 0; g < schedule.groups.size(); ++g) {
    for (int member : schedule.groups[g].members) {
      program::for_each_operand(all[static_cast<size_t>(member)], [&](const program::Operand& operand) {
        if (!operand.is_number()) last_group[operand.base.get()] = g;
      });
    }
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].kind != Kind::kFree || all[i].done) continue;
    const size_t* group = last_group.find(all[i].output.base.get());
    if (group == nullptr) {
      all[i].done = true;  // whatever used it was dropped
    } else {
      schedule.groups[*group].frees.push_back(static_cast<int>(i));
    }
  }
}

}  // namespace manycore::fuse
