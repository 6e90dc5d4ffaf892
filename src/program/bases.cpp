#include "program/bases.h"

namespace manycore::program {

Bases::Bases(const Program& program) {
  uses_.reserve(12);
  for (const Instruction& instruction : program.instructions) {
    for_each_operand(instruction, [&](const Operand& operand) {
      if (!operand.is_number()) mention(operand.base.get());
    });
  }
  find_holders(program);
}

int Bases::mention(Buffer* base) {
  const auto [number, is_new] = numbers_.try_emplace(base, static_cast<int>(uses_.size()));
  if (is_new) uses_.push_back({base});
  ++uses_[static_cast<size_t>(number)].mentions;
  return number;
}

void Bases::find_holders(const Program& program) {
  for (BaseUse& use : uses_) {
    const int64_t others = use.base->references() - use.mentions;
    use.is_dead = others == 0;
    use.is_passing = others == 1 && use.base == program.passing;
  }
  if (program.original == nullptr) return;
  const Bases original(*program.original);
  for (const BaseUse& mentioned : original.uses()) {
    const int number = number_of(mentioned.base);
    if (number < 0) continue;
    BaseUse& use = uses_[static_cast<size_t>(number)];
    use.is_dead = use.base->references() == use.mentions + mentioned.mentions;
  }
}

void Bases::clear() {
  uses_.clear();
  numbers_.clear();
}

}  // namespace manycore::program
