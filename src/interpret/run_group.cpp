#include "interpret/run_group.h"

#include <optional>

#include "base/hooks.h"
#include "base/options.h"
#include "interpret/run_endings.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::interpret {
namespace {

using fuse::Instruction;
using program::Kind;

// Elements a thread takes at a time: 32768 additions last some 10 us, ten times what handing them over costs.
int64_t chunk_elements(const BlockProgram& program) {
  const int64_t asked = base::integer_option(base::Option::chunk_elements);
  if (asked > 0) return asked;
  return std::max<int64_t>(4096, 32768 / std::max(1, program.cost));
}

void run_steps(const BlockProgram& program, int64_t block, Statuses* statuses) {
  const bool tiled = program.tiling.count > 0;
  const int64_t units = tiled ? program.tiling.count : program.plan.size;
  const int64_t per_unit = tiled ? std::max<int64_t>(1, program.plan.size / program.tiling.count) : 1;
  const int64_t grain = std::max<int64_t>(1, chunk_elements(program) / per_unit);
  sched::parallel_for(
      units, grain, [&](int64_t begin, int64_t end) { BlockRunner(program, block, statuses).run(begin, end); },
      program.fresh ? sched::Interrupts::kStop : sched::Interrupts::kFinish);
}

class GroupRunner {
 public:
  GroupRunner(const fuse::Schedule& schedule, std::vector<Report>* reports)
      : schedule_(schedule), all_(schedule.program.instructions), reports_(reports) {}

  // Members that are to stay in the program.
  const std::vector<int>& kept() const { return kept_; }

  void run(const fuse::Group& group) {
    const std::vector<int>& members = group.members;
    kept_.clear();
    apart_ = group.apart;
    if (!group.phases.empty()) {
      run_once(members, group.phases, {}, false);
      return;
    }
    bool computes = false, reduces = false;
    for (int member : members) (at(member).kind == Kind::kReduce ? reduces : computes) = true;
    if (computes && reduces && !run_once(members, {}, {}, true)) {
      // Tiles and reductions do not go together: what is reduced is written out first.
      std::vector<int> first, second;
      for (int member : members) (at(member).kind == Kind::kReduce ? second : first).push_back(member);
      run_once(first, {}, second, false);
      for (int member : first) at(member).done = true;  // what updates in place may not run twice, whatever becomes of the rest
      apart_ = "tiles and reductions do not go together";
      run_once(second, {}, {}, false);
    } else if (!(computes && reduces)) {
      run_once(members, {}, {}, false);
    }
  }

 private:
  Instruction& at(int i) { return all_[static_cast<size_t>(i)]; }

  // False, with nothing done, where tiles are wanted and `linear` forbids them.
  bool run_once(const std::vector<int>& members, const std::vector<int>& phases, const std::vector<int>& later, bool linear) {
    BlockProgram program = lower(schedule_, members, phases, later);
    if (program.tiling.count > 0 && linear) return false;
    if (!program.endings.empty()) program.tiling = {};
    const int64_t block = program.phases.empty() ? block_elements(program) : program.split.reduced;
    std::optional<trace::GroupRun> run;
    if (trace::keeps_groups()) program.run = &run.emplace(traced(members), apart_);
    Statuses statuses(program.steps.size()), ending_status(program.endings.size());
    if (program.plan.size > 0) {
      if (program.endings.empty()) {
        run_steps(program, block, &statuses);
      } else {
        run_endings(program, block, &statuses, &ending_status);
      }
    }
    kept_.insert(kept_.end(), program.kept.begin(), program.kept.end());
    trace::count_group(static_cast<int64_t>(members.size()), program.bytes.written, program.bytes.saved);
    if (run) run->finish(program.plan.size, program.bytes);
    for (size_t s = 0; s < statuses.size();) {
      // The casts of an operation warn with it.
      const int16_t member = program.steps[s].instruction;
      unsigned met = 0;
      for (; s < statuses.size() && program.steps[s].instruction == member; ++s) met |= statuses.of(s);
      report(member, met);
    }
    for (size_t e = 0; e < ending_status.size(); ++e) report(program.endings[e].instruction, ending_status.of(e));
    return true;
  }

  std::vector<trace::GroupMember> traced(const std::vector<int>& members) {
    const auto line_of = base::hooks().line_of_site;
    std::vector<trace::GroupMember> result;
    for (int member : members) {
      const void* site = at(member).origin.site.get();
      result.push_back({line_of && site ? line_of(site) : 0, program::name_of(at(member))});
    }
    return result;
  }

  void report(int member, unsigned status) {
    const Instruction& instruction = at(member);
    const auto add = [&](const program::Origin& origin) {
      if (const unsigned told = status & origin.reported) reports_->push_back({origin, name(instruction), told});
    };
    add(instruction.origin);
    for (const program::Origin& origin : instruction.echoes) add(origin);
  }

  // As NumPy's warnings name it.
  static const char* name(const Instruction& instruction) {
    switch (instruction.kind) {
      case Kind::kReduce:
        return "reduce";
      case Kind::kAssign:
        return "cast";
      default:
        return program::name_of(instruction);
    }
  }

  const fuse::Schedule& schedule_;
  std::vector<Instruction>& all_;
  std::vector<Report>* reports_;
  std::vector<int> kept_;
  const char* apart_ = "";
};

// Lets go of a base that nobody needs any more: every operand that mentions it belongs to an instruction that has run.
void free_base(std::vector<Instruction>& all, Buffer* base) {
  for (Instruction& instruction : all) {
    program::for_each_operand(instruction, [&](program::Operand& operand) {
      if (operand.base.get() == base) operand.base = BufferRef();
    });
  }
}

}  // namespace

void run_schedule(fuse::Schedule& schedule, std::vector<Report>* reports) {
  auto& all = schedule.program.instructions;
  GroupRunner runner(schedule, reports);
  bool keeps = false;  // instructions that read what a later group would free
  for (const fuse::Group& group : schedule.groups) {
    runner.run(group);
    for (int member : group.members) all[static_cast<size_t>(member)].done = true;
    keeps |= !runner.kept().empty();
    for (int member : runner.kept()) {
      Instruction& instruction = all[static_cast<size_t>(member)];
      instruction.done = false;
      instruction.origin.reported = 0;  // it has been told
      instruction.echoes.clear();
    }
    for (int free : group.frees) {
      Instruction& instruction = all[static_cast<size_t>(free)];
      instruction.done = true;
      if (keeps) continue;
      Buffer* base = instruction.output.base.get();
      if (!base->has_memory()) continue;  // there is nothing to give back
      base->set_pending(0);
      free_base(all, base);
    }
  }
}

}  // namespace manycore::interpret
