// KeptPlans: how the programs that a thread ran last were planned. Loops record the same operations again and again; planning five of them
// costs some 40000 instructions, finding the plan of an equal program 2000. Equal means the same outline (program/outline.h), word for word; the
// hash only says where to look. The least recently used go first: beyond the option kept_plans, or kMostBytes. All go when an
// option or the table of kernels has changed.
// One a thread, so without locks. A plan that runs is taken out: what a signal handler runs meanwhile finds others or none.
#pragma once

#include <memory>
#include <vector>

#include "interpret/prepared.h"
#include "program/outline.h"

namespace manycore::interpret {

class KeptPlans {
 public:
  static constexpr int64_t kMostBytes = 4 << 20;  // of a thread

  static KeptPlans& of_this_thread();

  // Null where no plan of a program with this outline is kept.
  std::unique_ptr<Prepared> take(const program::Outline& outline);
  void keep(std::unique_ptr<Prepared> prepared);

  int64_t bytes() const { return bytes_; }
  size_t size() const { return plans_.size(); }

 private:
  struct Kept {
    uint64_t hash;
    int64_t bytes;
    std::unique_ptr<Prepared> plan;
  };
  void forget_if_changed();

  std::vector<Kept> plans_;  // the least recently used first
  int64_t bytes_ = 0;
  Versions versions_;  // that the plans were made under
};

}  // namespace manycore::interpret
