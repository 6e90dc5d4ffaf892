// Prepared: a planned program, ready to run - its groups as block programs, and what the passes changed in its instructions. It is made while
// a program runs for the first time and can run every program with the same outline. Bases are numbered (program::Bases), instructions
// are where they were recorded. Owned by whoever runs it, else by KeptPlans; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "fuse/schedule.h"
#include "interpret/block_program.h"

namespace manycore::interpret {

// What runs in one go: a group, or a part of one.
struct Unit {
  BlockProgram program;
  std::vector<int> members;
  const char* apart = "";  // as fuse::Group's
  std::vector<int> frees;  // bases that nobody needs behind it
};

// What planning depends on besides the program.
struct Versions {
  uint64_t options = 0, kernels = 0;
  bool operator==(const Versions&) const = default;
};
Versions versions_now();

struct Prepared {
  Versions versions = versions_now();  // when planning began
  uint64_t hash = 0;
  std::vector<uint64_t> outline;
  std::vector<std::unique_ptr<Unit>> units;
  std::vector<int> unused;  // instructions that need not run
  std::vector<fuse::Replaced> replaced;
  std::vector<fuse::Echo> echoes;
};

// The memory that it takes, about.
int64_t bytes_of(const Prepared& prepared);

// Does to the instructions of an equal program what the passes did to those of the one that was planned.
void apply_passes(const Prepared& prepared, program::Program* program);

}  // namespace manycore::interpret
