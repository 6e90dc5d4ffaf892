#include "interpret/contracted.h"

namespace manycore::interpret {
namespace {

using fuse::Instruction;
using program::Kind;

// The members that a passing array is computed by; empty where running them once more would give something else, because something
// overwrites what they read.
std::vector<int> recipe_of(Buffer* passing, const std::vector<Instruction>& all, const std::vector<int>& members,
                           const ContractedBases& bases) {
  program::BaseMap<bool> written, needed;
  for (const Instruction& instruction : all) {
    // Also by groups that run later, which may have been recorded before the reduction.
    if (instruction.done || instruction.kind == Kind::kFree) continue;
    if (!bases.contains(instruction.output.base.get())) written[instruction.output.base.get()] = true;
  }
  needed[passing] = true;
  std::vector<int> recipe;
  for (size_t m = members.size(); m-- > 0;) {
    const Instruction& instruction = all[static_cast<size_t>(members[m])];
    if (!needed.contains(instruction.output.base.get())) continue;
    recipe.push_back(members[m]);
    for (int k = 0; k < instruction.input_count; ++k) {
      Buffer* base = instruction.inputs[k].base.get();
      if (base == nullptr) continue;
      if (written.contains(base)) return {};
      if (bases.contains(base)) needed[base] = true;
    }
  }
  return recipe;
}

}  // namespace

ContractedBases find_contracted(const fuse::Schedule& schedule, const std::vector<int>& members, const std::vector<int>& later,
                                std::vector<int>* kept) {
  const auto& all = schedule.program.instructions;
  ContractedBases bases;
  for (int member : members) {
    Buffer* base = all[static_cast<size_t>(member)].output.base.get();
    if (schedule.temporaries.contains(base)) bases[base] = {};
  }
  for (int member : later) {
    const Instruction& instruction = all[static_cast<size_t>(member)];
    for (int k = 0; k < instruction.input_count; ++k) bases.erase(instruction.inputs[k].base.get());
  }
  Buffer* passing = schedule.program.passing;
  if (passing && bases.contains(passing)) {
    *kept = recipe_of(passing, all, members, bases);
    if (kept->empty()) bases.erase(passing);
  }
  return bases;
}

void count_reads(const fuse::Schedule& schedule, const std::vector<int>& members, const std::vector<int>& phases,
                 ContractedBases* bases) {
  for (size_t m = 0; m < members.size(); ++m) {
    const Instruction& instruction = schedule.program.instructions[static_cast<size_t>(members[m])];
    const int phase = phases.empty() ? 0 : phases[m];
    for (int k = 0; k < instruction.input_count; ++k) {
      Contracted* read = bases->find(instruction.inputs[k].base.get());
      if (read == nullptr) continue;
      ++read->reads;
      read->whole |= instruction.kind == Kind::kReduce || read->phase != phase;
    }
    Contracted* written = bases->find(instruction.output.base.get());
    if (written == nullptr) continue;
    written->whole |= written->reads > 0 && written->phase != phase;  // written again
    written->phase = phase;
  }
}

}  // namespace manycore::interpret
