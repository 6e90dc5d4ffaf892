#include <algorithm>
#include <utility>

#include "base/check.h"
#include "interpret/block_program.h"
#include "interpret/contracted.h"
#include "interpret/read_bytes.h"
#include "interpret/scratch_slots.h"
#include "kernel/cast_conditions.h"
#include "program/bases.h"
#include "program/hazards.h"

namespace manycore::interpret {
namespace {

using fuse::Instruction;
using program::Kind;
using program::Operand;
using Where = Argument::Where;

int cost_of(kernel::Cost cost) {
  switch (cost) {
    case kernel::Cost::kMemory:
      return 1;
    case kernel::Cost::kDivision:
      return 2;
    case kernel::Cost::kTranscendental:
      return 8;
  }
  return 1;
}

uint8_t errors_of_cast(DType from, DType to) { return kernel::cast_may_report(from, to) ? op::errors::all : op::errors::none; }

// Of memory, by the group.
struct Use {
  int reads = 0, writes = 0;
};

class Lowering {
 public:
  Lowering(const fuse::Schedule& schedule, const std::vector<int>& members, const std::vector<int>& phases,
           const std::vector<int>& later, BlockProgram* result)
      : all_(schedule.program.instructions),
        bases_(schedule.bases),
        members_(members),
        phases_(phases),
        result_(*result),
        contracted_(find_contracted(schedule, members, later, &result->kept)) {
    count_reads(schedule, members, phases, &contracted_);
  }

  void run() {
    for (int member : members_) list_operands(at(member));
    result_.bytes.read = read_.total();
    plan();
    for (size_t m = 0; m < members_.size(); ++m) {
      if (m > 0 && phase_of(m) != phase_of(m - 1)) end_phase();
      emit(m);
    }
    if (!phases_.empty()) end_phase();
    result_.scratch_count = slots_.count();
    result_.scratch_item = slots_.widest();
    for (Step& step : result_.steps) {
      step.reported &= static_cast<uint8_t>(at(step.instruction).wanted_conditions());
      result_.reported |= step.reported;
      result_.scalar_unit |= step.scalar_unit;
    }
  }

 private:
  const Instruction& at(int i) const { return all_[static_cast<size_t>(i)]; }
  int phase_of(size_t m) const { return phases_.empty() ? 0 : phases_[m]; }
  void end_phase() { result_.phases.push_back({result_.steps.size(), result_.endings.size()}); }

  bool is_contracted(const Operand& operand) const { return contracted_.contains(operand.base.get()); }

  void list_operands(const Instruction& instruction) {
    for (int k = 0; k < instruction.input_count; ++k) {
      const Operand& input = instruction.inputs[k];
      if (input.is_number() || is_contracted(input)) continue;
      uses_[input.base.get()].reads += 1;
      const size_t known = views_.size();
      if (list(input); views_.size() > known) read_.add(input);
    }
    if (instruction.kind == Kind::kReduce) return;
    if (is_contracted(instruction.output)) {
      result_.bytes.saved += instruction.output.view.nbytes();
      return;
    }
    if (instruction.output.base->has_memory() && !fresh_.contains(instruction.output.base.get())) {
      result_.fresh = false;
    } else {
      fresh_[instruction.output.base.get()] = true;
    }
    uses_[instruction.output.base.get()].writes += 1;
    list(instruction.output);
    result_.bytes.written += instruction.output.view.nbytes();
  }

  // Gives the base memory and returns the operand's number in the plan.
  int list(const Operand& operand) {
    operand.base->provide();
    View view = operand.view;
    view.data = operand.base->resolve(view.data);
    for (size_t k = 0; k < views_.size(); ++k) {
      if (program::same_place(views_[k], view)) return static_cast<int>(k);
    }
    MANYCORE_CHECK(views_.size() < kMaxPlanOperands - 1);
    views_.push_back(std::move(view));
    result_.sources.operands.push_back({bases_.number_of(operand.base.get()), 0});
    return static_cast<int>(views_.size()) - 1;
  }

  // The order of the first result in memory decides; with a reduction it is C order, that of the array which it reads.
  void plan() {
    const View* order = nullptr;
    for (int member : members_) {
      if (at(member).kind == Kind::kReduce) {
        order = &at(member).inputs[0].view;
        break;
      }
    }
    if (order == nullptr) order = &at(members_[0]).output.view;
    const View* views[kMaxPlanOperands];
    for (size_t k = 0; k < views_.size(); ++k) views[k] = &views_[k];
    views[views_.size()] = order;
    make_plan(views, static_cast<int>(views_.size()) + 1, static_cast<int>(views_.size()), &result_.plan);
    for (size_t k = 0; k < views_.size(); ++k) {
      BasePlace& place = result_.sources.operands[k];
      place.offset = result_.plan.data[k] - base_at(place)->data();
    }
    // Phases need rows, one after the other.
    if (phases_.empty()) result_.tiling = choose_tiling(&result_.plan, static_cast<int>(views_.size()));
    uses_.for_each([&](Buffer*, const Use& use) { result_.repeatable &= use.reads == 0 || use.writes == 0; });
  }

  // Worth writing past the caches: far larger than them, in long dense runs, written once and read by nobody here.
  bool streams(const Operand& output, int operand) const {
    if (result_.tiling.count > 0 || !suits_streaming(result_.plan, operand, item_size(output.view.dtype))) return false;
    const Use* use = uses_.find(output.base.get());
    return use->reads == 0 && use->writes == 1;
  }

  // ---- steps

  int64_t step_of(const Argument& argument, DType dtype) const {
    if (argument.where == Where::kNumber) return 0;
    return argument.where == Where::kScratch ? item_size(dtype) : result_.plan.strides[argument.index][0];
  }

  Step& add_step(int member, kernel::LoopFn run) {
    Step& step = result_.steps.emplace_back();
    step.run = run;
    step.instruction = static_cast<int16_t>(member);
    return step;
  }

  static void add_argument(Step& step, const Argument& argument, int64_t bytes) {
    step.arguments[step.count] = argument;
    step.steps[step.count++] = bytes;
  }

  Buffer* base_at(const BasePlace& place) const { return bases_.uses()[static_cast<size_t>(place.base)].base; }

  Argument number(int member, int k) {
    result_.numbers.push_back(at(member).inputs[k].number);
    result_.sources.numbers.push_back({member, k});
    return {Where::kNumber, static_cast<int16_t>(result_.numbers.size() - 1)};
  }

  Argument place_of(const Operand& operand) {
    if (const Contracted* found = contracted_.find(operand.base.get())) {
      return {Where::kScratch, static_cast<int16_t>(found->slot)};
    }
    return {Where::kMemory, static_cast<int16_t>(list(operand))};
  }

  // The input as the loop wants it: cast, and packed where the loop is dear and the elements are scattered. Scratch blocks made for
  // that are in `borrowed`.
  Argument input(int member, int k, bool dear, int64_t* bytes, std::vector<int>* borrowed) {
    const Instruction& instruction = at(member);
    const Operand& operand = instruction.inputs[k];
    if (operand.is_number()) {
      *bytes = 0;
      return number(member, k);
    }
    const Argument place = place_of(operand);
    const DType wanted = instruction.input_dtype(k);
    const DType from = operand.view.dtype;
    *bytes = step_of(place, from);
    const bool scattered = dear && place.where == Where::kMemory && *bytes != 0 && *bytes != item_size(from);
    if (from == wanted && !scattered) return place;
    const int slot = slots_.take(wanted);
    borrowed->push_back(slot);
    const Argument target{Where::kScratch, static_cast<int16_t>(slot)};
    Step& cast = add_step(member, kernel::find_cast(from, wanted));
    cast.once = *bytes == 0;
    if (cast.once) slots_.spoil(slot);  // written again at its beginning by every piece
    cast.reported = errors_of_cast(from, wanted);
    add_argument(cast, place, *bytes);
    add_argument(cast, target, item_size(wanted));
    *bytes = cast.once ? 0 : item_size(wanted);
    result_.cost += 1;
    return target;
  }

  // A scratch block is free again after the last reading of what it holds; a base that is written once more gets another.
  void release_read(const Operand& operand) {
    Contracted* found = contracted_.find(operand.base.get());
    if (found != nullptr && --found->reads == 0) slots_.release(std::exchange(found->slot, -1));
  }

  void emit(size_t m) {
    const int member = members_[m];
    const Instruction& instruction = at(member);
    if (skipped_ == member) return;
    if (instruction.kind == Kind::kReduce) return emit_ending(member);
    kernel::Loop loop;
    if (instruction.kind == Kind::kElementwise) {
      loop = kernel::find_loop(instruction.operation, instruction.signature.slot);
    } else if (instruction.kind == Kind::kSelect) {
      loop.run = kernel::find_select(instruction.output.view.dtype);
    } else {
      const DType from = instruction.input_dtype(0);
      loop.run = kernel::find_cast(from, instruction.output.view.dtype);
      loop.errors = errors_of_cast(from, instruction.output.view.dtype);
    }
    std::vector<int> borrowed;
    Argument arguments[4];
    int64_t bytes[4];
    const int inputs = instruction.input_count;
    for (int k = 0; k < inputs; ++k) {
      arguments[k] = input(member, k, loop.cost == kernel::Cost::kTranscendental, &bytes[k], &borrowed);
    }
    std::vector<ScratchSlots::Input> read;
    for (int k = 0; k < inputs; ++k) {
      if (arguments[k].where == Where::kScratch) read.push_back({arguments[k].index, bytes[k]});
    }
    for (int slot : borrowed) slots_.release(slot);
    for (int k = 0; k < inputs; ++k) release_read(instruction.inputs[k]);
    const DType computed = instruction.output_dtype();
    const Operand* output = &instruction.output;
    if (const Operand* target = stored_at_once(m)) output = target;
    const DType stored = output->view.dtype;
    Contracted* found = contracted_.find(output->base.get());
    Argument target, place;
    int cast_slot = -1;
    if (found != nullptr) {
      if (found->slot < 0) found->slot = slots_.take_beside(read, stored, found->whole);
      target = {Where::kScratch, static_cast<int16_t>(found->slot)};
    } else if (computed != stored) {
      cast_slot = slots_.take_beside(read, computed);
      target = {Where::kScratch, static_cast<int16_t>(cast_slot)};
    } else {
      target = place_of(*output);
      if (streams(*output, target.index)) {
        place = target;
        cast_slot = slots_.take_beside(read, computed);
        target = {Where::kScratch, static_cast<int16_t>(cast_slot)};
      }
    }
    if (place.where == Where::kMemory && instruction.kind == Kind::kAssign && arguments[0].where == Where::kMemory &&
        instruction.inputs[0].view.dtype == stored && bytes[0] == item_size(stored)) {
      slots_.release(cast_slot);
      return emit_stream(member, arguments[0], place, stored);
    }
    // A scratch block of a base in another dtype than the loop's: computed beside it, cast into it.
    if (found != nullptr && computed != stored) {
      cast_slot = slots_.take(computed);
      target = {Where::kScratch, static_cast<int16_t>(cast_slot)};
    }
    Step& step = add_step(member, loop.run);
    step.data = loop.data;
    step.scalar_unit = loop.scalar_unit;
    step.reported = loop.errors;
    for (int k = 0; k < inputs; ++k) add_argument(step, arguments[k], bytes[k]);
    add_argument(step, target, step_of(target, computed));
    result_.cost += cost_of(loop.cost);
    if (place.where == Where::kMemory) {
      emit_stream(member, target, place, stored);
    } else if (cast_slot >= 0) {
      emit_store(member, target, computed, *output);
    }
    if (cast_slot >= 0) slots_.release(cast_slot);
    if (found != nullptr && found->reads == 0) slots_.release(std::exchange(found->slot, -1));
  }

  void emit_store(int member, const Argument& from, DType computed, const Operand& output) {
    Step& cast = add_step(member, kernel::find_cast(computed, output.view.dtype));
    cast.reported = errors_of_cast(computed, output.view.dtype);
    add_argument(cast, from, item_size(computed));
    const Argument place = place_of(output);
    add_argument(cast, place, step_of(place, output.view.dtype));
    result_.cost += 1;
  }

  void emit_stream(int member, const Argument& from, const Argument& place, DType dtype) {
    Step& stream = add_step(member, nullptr);
    add_argument(stream, from, item_size(dtype));
    add_argument(stream, place, item_size(dtype));
    result_.streamed = place.index;
  }

  // The result is read by nothing but the assignment that follows: it goes where that would put it.
  const Operand* stored_at_once(size_t m) {
    if (m + 1 >= members_.size()) return nullptr;
    const Instruction &producer = at(members_[m]), &next = at(members_[m + 1]);
    if (next.kind != Kind::kAssign || next.inputs[0].is_number()) return nullptr;
    if (next.inputs[0].base.get() != producer.output.base.get() || next.output.view.dtype != producer.output.view.dtype)
      return nullptr;
    Contracted* found = contracted_.find(producer.output.base.get());
    if (found == nullptr || found->reads != 1 || found->slot >= 0) return nullptr;
    skipped_ = members_[m + 1];
    return &next.output;
  }

  void emit_ending(int member) {
    const Instruction& instruction = at(member);
    Ending& ending = result_.endings.emplace_back();
    ending.instruction = member;
    ending.source = place_of(instruction.inputs[0]);
    ending.from = instruction.inputs[0].view.dtype;
    ending.to = instruction.output.view.dtype;
    ending.reduction = instruction.reduction;
    ending.loops = kernel::find_reduction(instruction.reduction, ending.from, ending.to);
    const bool counts = instruction.reduction == kernel::Reduction::kCountNonzero;
    ending.join = kernel::find_reduction(counts ? kernel::Reduction::kSum : instruction.reduction, ending.to, ending.to);
    MANYCORE_CHECK(ending.loops != nullptr && ending.join != nullptr);
    if (!ending.loops->exact) ending.pairwise = kernel::find_pairwise_sum(ending.to);
    instruction.output.base->provide();
    ending.results = instruction.output.base->resolve(instruction.output.view.data);
    const int base = bases_.number_of(instruction.output.base.get());
    result_.sources.results.push_back({base, ending.results - instruction.output.base->data()});
    ending.reported = ending.loops->exact ? 0 : op::errors::all;
    result_.split = program::split_of(instruction);
    result_.cost += 1;
    // Its block stays: endings read after all steps.
  }

  const std::vector<Instruction>& all_;
  const program::Bases& bases_;
  const std::vector<int>&members_, &phases_;
  BlockProgram& result_;
  ContractedBases contracted_;
  program::BaseMap<Use> uses_;  // of memory
  program::BaseMap<bool> fresh_;
  ReadBytes read_;
  std::vector<View> views_;
  ScratchSlots slots_;
  int skipped_ = -1;
};

}  // namespace

void lower(const fuse::Schedule& schedule, const std::vector<int>& members, const std::vector<int>& phases,
           const std::vector<int>& later, BlockProgram* result) {
  Lowering(schedule, members, phases, later, result).run();
}

void bind(const program::Program& program, const program::Bases& bases, BlockProgram* result) {
  const auto address = [&](const BasePlace& place) {
    Buffer* base = bases.uses()[static_cast<size_t>(place.base)].base;
    base->provide();
    return base->data() + place.offset;
  };
  const Sources& sources = result->sources;
  for (size_t k = 0; k < sources.operands.size(); ++k) result->plan.data[k] = address(sources.operands[k]);
  for (size_t e = 0; e < sources.results.size(); ++e) result->endings[e].results = address(sources.results[e]);
  for (size_t n = 0; n < sources.numbers.size(); ++n) {
    const NumberPlace& place = sources.numbers[n];
    result->numbers[n] = program.instructions[static_cast<size_t>(place.instruction)].inputs[place.input].number;
  }
}

}  // namespace manycore::interpret
