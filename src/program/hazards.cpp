#include "program/hazards.h"

namespace manycore::program {
namespace {

Meeting meet(const Operand& a, const Operand& b) {
  if (a.is_number() || b.is_number() || a.base.get() != b.base.get()) return Meeting::kApart;
  switch (overlap(a.view, b.view)) {
    case Overlap::kNone:
      return Meeting::kApart;
    case Overlap::kSame:
      return a.view.dtype == b.view.dtype ? Meeting::kAligned : Meeting::kCrossed;
    case Overlap::kMaybe:
      return Meeting::kCrossed;
  }
  return Meeting::kCrossed;
}

}  // namespace

Meeting meet(const Instruction& earlier, const Instruction& later) {
  Meeting worst = Meeting::kApart;
  const auto add = [&](Meeting one) {
    if (one > worst) worst = one;
  };
  add(meet(earlier.output, later.output));
  for (int i = 0; i < later.input_count; ++i) add(meet(earlier.output, later.inputs[i]));
  for (int i = 0; i < earlier.input_count; ++i) add(meet(earlier.inputs[i], later.output));
  // A reduction's result is whole only after its last block.
  const bool reduces = earlier.kind == Kind::kReduce || later.kind == Kind::kReduce;
  if (worst == Meeting::kAligned && reduces) {
    add(earlier.kind == Kind::kReduce || meet(earlier.output, later.inputs[0]) != Meeting::kAligned ? Meeting::kCrossed
                                                                                                    : Meeting::kAligned);
  }
  return worst;
}

bool follows_by_row(const Instruction& earlier, const Instruction& later) {
  if (earlier.kind != Kind::kReduce || later.kind == Kind::kReduce || later.kind == Kind::kFree) return false;
  if (meet(earlier.output, later.output) != Meeting::kApart) return false;
  const Meeting overwritten = meet(earlier.inputs[0], later.output);
  if (overwritten == Meeting::kCrossed) return false;
  bool waits = overwritten == Meeting::kAligned;
  for (int i = 0; i < later.input_count; ++i) {
    if (meet(earlier.output, later.inputs[i]) == Meeting::kApart) continue;
    if (!same_place(earlier.output.view, later.inputs[i].view)) return false;
    waits = true;
  }
  return waits;
}

}  // namespace manycore::program
