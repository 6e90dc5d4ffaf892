// Bases: what a program works on, numbered as they first appear, and how each is held. A base that only the program holds is dead to
// the user: whatever happens to it stays inside. Refers to bases without holding them; not thread-safe.
#pragma once

#include <vector>

#include "program/base_map.h"
#include "program/program.h"

namespace manycore::program {

struct BaseUse {
  Buffer* base;
  int mentions = 0;         // by the program
  bool is_dead = false;     // nobody else holds it
  bool is_passing = false;  // nobody else but the caller of a reduction, who lets go of it (see Program::passing)
};

class Bases {
 public:
  Bases() = default;
  explicit Bases(const Program& program);

  const std::vector<BaseUse>& uses() const { return uses_; }
  // From 0 on; -1 for what the program does not mention.
  int number_of(const Buffer* base) const {
    const int* number = numbers_.find(base);
    return number == nullptr ? -1 : *number;
  }

  // Step by step: each mention, which answers the base's number, and then who holds them.
  int mention(Buffer* base);
  void find_holders(const Program& program);
  void clear();

 private:
  std::vector<BaseUse> uses_;
  BaseMap<int> numbers_;
};

}  // namespace manycore::program
