#include "interpret/run_group.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/hooks.h"
#include "base/options.h"
#include "interpret/prepared.h"
#include "interpret/run_endings.h"
#include "sched/parallel.h"
#include "trace/counters.h"

namespace manycore::interpret {
namespace {

using fuse::Instruction;
using program::Kind;

// Elements a thread takes at a time: 32768 additions last some 10 us, ten times what handing them over costs. Pieces begin where lines of the
// cache do: with vectors of 64 bytes every access would else touch two of them, and take twice the time.
int64_t chunk_elements(const BlockProgram& program) {
  const int64_t asked = base::integer_option(base::Option::chunk_elements);
  if (asked > 0) return asked;
  constexpr int64_t kLine = 64;  // elements of one byte
  return std::max<int64_t>(4096, 32768 / std::max(1, program.cost) / kLine * kLine);
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

class UnitRunner {
 public:
  UnitRunner(program::Program& program, const program::Bases& bases, std::vector<Report>* reports)
      : all_(program.instructions), bases_(bases), reports_(reports) {}

  void run(Unit& unit) {
    compute(unit);
    for (int member : unit.members) at(member).done = true;
    keeps_ |= !unit.program.kept.empty();
    for (int member : unit.program.kept) {
      at(member).done = false;
      at(member).origin.reported = 0;  // it has been told
      at(member).echoes.clear();
    }
    // Instructions that are kept may read what would be freed.
    for (int base : unit.frees) {
      if (!keeps_) free_base(bases_.uses()[static_cast<size_t>(base)].base);
    }
  }

 private:
  Instruction& at(int i) { return all_[static_cast<size_t>(i)]; }

  void compute(Unit& unit) {
    BlockProgram& program = unit.program;
    const int64_t block = program.phases.empty() ? block_elements(program) : program.split.reduced;
    std::optional<trace::GroupRun> run;
    program.run = trace::keeps_groups() ? &run.emplace(traced(unit.members), unit.apart) : nullptr;
    Statuses statuses(program.steps.size()), ending_status(program.endings.size());
    if (program.plan.size > 0) {
      if (program.endings.empty()) {
        run_steps(program, block, &statuses);
      } else {
        run_endings(program, block, &statuses, &ending_status);
      }
    }
    trace::count_group(static_cast<int64_t>(unit.members.size()), program.bytes.written, program.bytes.saved);
    if (run) run->finish(program.plan.size, program.bytes);
    for (size_t s = 0; s < statuses.size();) {
      // The casts of an operation warn with it.
      const int16_t member = program.steps[s].instruction;
      unsigned met = 0;
      for (; s < statuses.size() && program.steps[s].instruction == member; ++s) met |= statuses.of(s);
      report(member, met);
    }
    for (size_t e = 0; e < ending_status.size(); ++e) report(program.endings[e].instruction, ending_status.of(e));
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

  // Lets go of a base that nobody needs any more: every operand that mentions it belongs to an instruction that has run.
  void free_base(Buffer* base) {
    if (!base->has_memory()) return;  // there is nothing to give back
    base->set_pending(0);
    for (Instruction& instruction : all_) {
      program::for_each_operand(instruction, [&](program::Operand& operand) {
        if (operand.base.get() == base) operand.base = BufferRef();
      });
    }
  }

  std::vector<Instruction>& all_;
  const program::Bases& bases_;
  std::vector<Report>* reports_;
  bool keeps_ = false;  // there are instructions that stay
};

// Lowers one group after the other, each when those before it have run and given their memory back.
class Preparer {
 public:
  Preparer(fuse::Schedule& schedule, std::vector<Report>* reports, Prepared* prepared)
      : schedule_(schedule),
        all_(schedule.program.instructions),
        runner_(schedule.program, schedule.bases, reports),
        prepared_(*prepared) {}

  void run() {
    // What the passes found needless, but for their FREEs, which are the last.
    for (size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].done && all_[i].kind != Kind::kFree) prepared_.unused.push_back(static_cast<int>(i));
    }
    prepared_.replaced = schedule_.replaced;
    prepared_.echoes = schedule_.echoes;
    for (const fuse::Group& group : schedule_.groups) run(group);
  }

 private:
  Instruction& at(int i) { return all_[static_cast<size_t>(i)]; }

  void run(const fuse::Group& group) {
    const std::vector<int>& members = group.members;
    std::vector<int> computing, reducing;
    for (int member : members) (at(member).kind == Kind::kReduce ? reducing : computing).push_back(member);
    const bool splits = group.phases.empty() && !computing.empty() && !reducing.empty();
    if (auto whole = make_unit(members, group.phases, {}, group.apart); !splits || whole->program.tiling.count == 0) {
      whole->program.tiling = reducing.empty() ? whole->program.tiling : Tiling{};
      run(std::move(whole), group.frees);
    } else {
      // Tiles and reductions do not go together: what is reduced is written out first. It is done then: what updates in place may
      // not run twice, whatever becomes of the rest.
      whole.reset();
      run(make_unit(computing, {}, reducing, group.apart), {});
      auto rest = make_unit(reducing, {}, {}, "tiles and reductions do not go together");
      rest->program.tiling = {};
      run(std::move(rest), group.frees);
    }
  }

  std::unique_ptr<Unit> make_unit(const std::vector<int>& members, const std::vector<int>& phases, const std::vector<int>& later,
                                  const char* apart) {
    auto unit = std::make_unique<Unit>();
    lower(schedule_, members, phases, later, &unit->program);
    unit->members = members;
    unit->apart = apart;
    return unit;
  }

  void run(std::unique_ptr<Unit> unit, const std::vector<int>& frees) {
    for (int free : frees) {
      at(free).done = true;
      unit->frees.push_back(schedule_.bases.number_of(at(free).output.base.get()));
    }
    runner_.run(*unit);
    prepared_.units.push_back(std::move(unit));
  }

  fuse::Schedule& schedule_;
  std::vector<Instruction>& all_;
  UnitRunner runner_;
  Prepared& prepared_;
};

}  // namespace

void run_schedule(fuse::Schedule& schedule, std::vector<Report>* reports, Prepared* prepared) {
  Prepared own;
  Preparer(schedule, reports, prepared == nullptr ? &own : prepared).run();
}

void run_prepared(Prepared& prepared, program::Program& program, const program::Bases& bases, std::vector<Report>* reports) {
  apply_passes(prepared, &program);
  UnitRunner runner(program, bases, reports);
  for (const auto& unit : prepared.units) {
    bind(program, bases, &unit->program);
    runner.run(*unit);
  }
}

}  // namespace manycore::interpret
