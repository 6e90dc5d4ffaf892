#include "fuse/pass.h"
#include "program/base_map.h"
#include "program/hazards.h"

namespace manycore::fuse {
namespace {

using program::Operand;

// Where a base was seen so far.
struct Seen {
  const View* view = nullptr;
  size_t group = 0;
  bool disqualified = false;
};

}  // namespace

// Bases without memory that nobody but the program holds, that one group alone touches, as one view, and that it writes first.
void find_temporaries(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  program::BaseMap<Seen> bases;
  for (const program::BaseUse& use : schedule.bases.uses()) {
    // The array of a reduction's caller counts as gone, if that is the one reference more than the program's.
    if ((use.is_dead || use.is_passing) && !use.base->is_foreign() && !use.base->has_memory()) bases[use.base] = {};
  }
  if (bases.empty()) return;
  for (size_t g = 0; g < schedule.groups.size(); ++g) {
    for (int member : schedule.groups[g].members) {
      const Instruction& instruction = all[static_cast<size_t>(member)];
      const auto look = [&](const Operand& operand, bool writes) {
        Seen* known = operand.is_number() ? nullptr : bases.find(operand.base.get());
        if (known == nullptr) return;
        Seen& seen = *known;
        if (seen.view == nullptr) {
          seen = {&operand.view, g, !writes || instruction.kind == Kind::kReduce};
        } else if (seen.group != g || !program::same_place(*seen.view, operand.view) ||
                   (writes && instruction.kind == Kind::kReduce)) {
          seen.disqualified = true;
        }
      };
      for (int k = 0; k < instruction.input_count; ++k) look(instruction.inputs[k], false);
      look(instruction.output, true);
    }
  }
  bases.for_each([&](Buffer* base, const Seen& seen) {
    if (seen.view != nullptr && !seen.disqualified) schedule.temporaries[base] = seen.view;
  });
}

}  // namespace manycore::fuse
