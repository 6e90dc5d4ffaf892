// BlockProgram: a group of instructions as kernel calls on blocks. Arguments are operands in memory, which move along the group's plan,
// scratch blocks of one thread, which hold what nobody outside the group sees, and numbers. Casts are steps of their own.
// Built once per run of a group and kept for groups equal to it (kept_plans.h): what differs between those is in `sources`. Read by all
// threads while it runs.
#pragma once

#include <vector>

#include "fuse/schedule.h"
#include "interpret/plan.h"
#include "kernel/loops.h"
#include "program/axes.h"
#include "trace/groups.h"

namespace manycore::interpret {

struct Argument {
  enum class Where : uint8_t { kMemory, kScratch, kNumber };
  Where where = Where::kNumber;
  int16_t index = 0;  // of the plan's operand, the scratch block or the number
};

struct Step {
  kernel::LoopFn run = nullptr;  // null: a scratch block leaves for memory past the caches
  void* data = nullptr;
  bool scalar_unit = false;
  bool once = false;     // its input stands still along the innermost axis: one element is enough
  uint8_t reported = 0;  // conditions that go to its instruction, where somebody wants to hear of them
  int16_t instruction = 0;
  int8_t count = 0;  // of arguments, the output last
  Argument arguments[4];
  int64_t steps[4] = {};  // bytes from element to element
};

// A reduction that reads what the steps left.
struct Ending {
  int instruction = 0;
  Argument source;
  DType from, to;
  kernel::Reduction reduction;
  const kernel::ReduceLoops* loops = nullptr;
  const kernel::ReduceLoops* join = nullptr;  // of partial results
  kernel::PairwiseSum pairwise = nullptr;     // null: exact, so pieces may be cut anywhere
  std::byte* results = nullptr;               // outer x inner accumulators, dense
  unsigned reported = 0;
};

// Steps, and then endings, that a row runs through before the next phase begins.
struct Phase {
  size_t steps_end = 0, endings_end = 0;
};

// Where an address or a number of a block program comes from, in the program that it is of now.
struct BasePlace {
  int base = -1;  // as program::Bases numbers them
  int64_t offset = 0;
};
struct NumberPlace {
  int instruction, input;
};
struct Sources {
  std::vector<BasePlace> operands;  // of the plan, but for the last one, which only decides the order
  std::vector<BasePlace> results;   // of the endings
  std::vector<NumberPlace> numbers;
};

struct BlockProgram {
  Plan plan;
  Tiling tiling{};           // count 0: no tiles
  bool fresh = true;         // writes only memory that nobody has seen
  bool repeatable = true;    // reads no memory that it writes, so a block may run twice
  bool scalar_unit = false;  // some step may raise conditions there
  uint8_t reported = 0;      // conditions of all steps
  int streamed = -1;         // an operand that steps write past the caches
  int scratch_count = 0;
  int64_t scratch_item = 1;  // bytes of the largest element in scratch
  int cost = 0;              // of an element, in kernel::Cost::kMemory loops
  std::vector<Step> steps;
  std::vector<Scalar> numbers;
  std::vector<Ending> endings;
  std::vector<Phase> phases;  // empty where no step waits for an ending
  program::Split split;       // of the endings
  trace::GroupBytes bytes;
  trace::GroupRun* run = nullptr;  // where a report is kept
  std::vector<int> kept;           // members that compute a passing array: they stay in the program
  Sources sources;
};

// For the members of one group that run now, in their `phases` (see fuse::Group); what those that run `later` read goes to memory.
// Gives memory to what is written there.
void lower(const fuse::Schedule& schedule, const std::vector<int>& members, const std::vector<int>& phases,
           const std::vector<int>& later, BlockProgram* result);

// The same for the group of an equal program: its memory, its addresses, its numbers.
void bind(const program::Program& program, const program::Bases& bases, BlockProgram* result);

}  // namespace manycore::interpret
