// Schedule: a program's instructions put together in groups that run block by block, in the order in which the groups run. Made by
// the passes of passes.cpp; refers to its program by index and lives as long.
#pragma once

#include <string>
#include <vector>

#include "program/bases.h"

namespace manycore::fuse {

using program::Instruction;
using program::Kind;
using program::Program;

// Instructions of one shape that meet element by element only: they run together, one cache-sized block after the other.
struct Group {
  std::vector<int> members;  // in program order, that of their phases first; no FREE
  // Which members wait for what others fold from the same row: empty where none does, else a number a member, from 0 on. A row
  // runs through all phases before the next one begins, so its elements stay in the cache: (x - x.max(axis=1, keepdims=True)) * 2.
  std::vector<int> phases;
  std::vector<int> frees;  // FREEs that follow
  const char* apart = "";  // why its first member did not join a group before; static text
};

// An instruction reads what an earlier one wrote, in place of its own input.
struct Replaced {
  int reader, input, writer;
};

// What meets `first` is reported where `second`, which asked for the same, was recorded, too.
struct Echo {
  int first, second;
};

struct Schedule {
  explicit Schedule(Program& p) : Schedule(p, program::Bases(p)) {}
  Schedule(Program& p, program::Bases b) : program(p), bases(std::move(b)) {}
  Program& program;
  program::Bases bases;  // as they were before the passes
  std::vector<Group> groups;
  // Bases that live and die within one group, always as this view: they need no memory.
  program::BaseMap<const View*> temporaries;
  // What the passes changed in instructions, besides their `done` and their shapes: an equal program needs the same.
  std::vector<Replaced> replaced;
  std::vector<Echo> echoes;
};

// What one pass did, for reports and tests.
struct PassTime {
  const char* name;
  int64_t nanoseconds = 0;
  int64_t runs = 0;
};

// All passes in order, but those that the option `without_passes` names. In debug builds the program is verified after each.
MANYCORE_API Schedule make_schedule(Program& program);
MANYCORE_API Schedule make_schedule(Program& program, program::Bases bases);
MANYCORE_API std::vector<PassTime> pass_times();

// "  1: add multiply sum  (apart: another shape)" a line a group.
MANYCORE_API std::string text(const Schedule& schedule);

}  // namespace manycore::fuse
