// Groups by looking back: an instruction joins the nearest earlier group that it may run with, past groups that it does not
// meet. Two instructions run together when they have one shape, share an array, and meet element by element only
// (program/hazards.h), so that a block of one and then the same block of the other gives what the whole of one and then the whole
// of the other gives. Groups that one instruction brings together become one, under the same conditions.
#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/options.h"
#include "fuse/pass.h"
#include "program/axes.h"
#include "program/hazards.h"

namespace manycore::fuse {
namespace {

using program::Meeting;
using program::Operand;

// Operands that a group reads and writes in memory at most: more streams than this and the prefetchers lose track.
constexpr int kMostOperands = 24;
constexpr size_t kMostMembers = 64;
constexpr int kLookBack = 6;

class Grouper {
 public:
  explicit Grouper(Schedule& schedule) : schedule_(schedule), all_(schedule.program.instructions) {}

  void run() {
    for (int i = 0; i < static_cast<int>(all_.size()); ++i) {
      if (!at(i).done && at(i).kind != Kind::kFree) place(i);
    }
    for (size_t g = 0; g < joined_.size(); ++g) {
      if (joined_[g].has_phases) find_phases(schedule_.groups[g]);
    }
  }

 private:
  struct Joined {
    std::vector<const Operand*> operands;  // distinct ones
    uint64_t bases = 0;                    // a bit for each base, by a hash: no bit in common, no base in common
    bool reduces = false;
    bool complex = false;  // its reductions
    bool has_phases = false;
    program::Split split;
  };

  Instruction& at(int i) { return all_[static_cast<size_t>(i)]; }

  void place(int i) {
    const char* reason = "";
    const int newest = static_cast<int>(schedule_.groups.size()) - 1;
    for (int g = newest; g >= 0 && g > newest - kLookBack; --g) {
      const Meeting meeting = meet(g, i);
      const char* obstacle = obstacle_to_join(g, i, meeting);
      if (obstacle == nullptr) {
        join(g, i);
        return merge_sources(g, i);
      }
      if (g == newest || meeting != Meeting::kApart) reason = obstacle;
      if (meeting != Meeting::kApart) break;
    }
    schedule_.groups.emplace_back();
    schedule_.groups.back().apart = reason;
    joined_.emplace_back();
    join(newest + 1, i);
  }

  // `i` has joined group g, and may read what older groups compute: (a + b) * (c - d). Those that may run with g become part of it.
  void merge_sources(int g, int i) {
    for (int h = g - 1; h >= 0 && h > g - kLookBack; --h) {
      const Meeting meeting = meet(h, i);
      if (meeting == Meeting::kApart) continue;
      if (meeting == Meeting::kCrossed || !may_merge(h, g)) return;
      merge(h, g);
      --g;
    }
  }

  // May the members of h, an older group, wait for those of g?
  bool may_merge(int h, int g) {
    const Joined &older = joined_[static_cast<size_t>(h)], &newer = joined_[static_cast<size_t>(g)];
    const auto& members = members_of(h);
    if (!(at(members[0]).shape() == at(members_of(g)[0]).shape())) return false;
    if (members.size() + members_of(g).size() > kMostMembers) return false;
    if (static_cast<int>(older.operands.size() + newer.operands.size()) > kMostOperands) return false;
    if (older.reduces && newer.reduces && !(older.split == newer.split && older.complex == newer.complex)) return false;
    for (int between = h + 1; between <= g; ++between) {
      if ((older.bases & joined_[static_cast<size_t>(between)].bases) == 0) continue;
      for (int early : members) {
        for (int late : members_of(between)) {
          const Meeting meeting = program::meet(at(early), at(late));
          if (meeting == Meeting::kCrossed || (meeting == Meeting::kAligned && between != g)) return false;
        }
      }
    }
    return true;
  }

  void merge(int h, int g) {
    Joined &older = joined_[static_cast<size_t>(h)], &newer = joined_[static_cast<size_t>(g)];
    Group& group = schedule_.groups[static_cast<size_t>(g)];
    group.apart = schedule_.groups[static_cast<size_t>(h)].apart;
    std::vector<int> members;
    std::ranges::merge(members_of(h), group.members, std::back_inserter(members));
    group.members = std::move(members);
    for (const Operand* operand : older.operands) add(newer, *operand);
    newer.bases |= older.bases;
    newer.has_phases |= older.has_phases;
    if (older.reduces) {
      newer.reduces = true;
      newer.complex = older.complex;
      newer.split = older.split;
    }
    schedule_.groups.erase(schedule_.groups.begin() + h);
    joined_.erase(joined_.begin() + h);
  }

  const std::vector<int>& members_of(int g) const { return schedule_.groups[static_cast<size_t>(g)].members; }

  static void add(Joined& joined, const Operand& operand) {
    for (const Operand* other : joined.operands) {
      if (program::same_place(other->view, operand.view)) return;
    }
    joined.operands.push_back(&operand);
  }

  static uint64_t bases_of(const Instruction& instruction) {
    uint64_t bits = 0;
    program::for_each_operand(instruction, [&](const Operand& operand) {
      if (!operand.is_number())
        bits |= uint64_t{1} << (reinterpret_cast<uintptr_t>(operand.base.get()) / 64 * 0x9e3779b97f4a7c15u >> 58);
    });
    return bits;
  }

  Meeting meet(int g, int i) {
    if ((joined_[static_cast<size_t>(g)].bases & bases_of(at(i))) == 0) return Meeting::kApart;
    Meeting worst = Meeting::kApart;
    for (int member : members_of(g)) {
      const Meeting meeting = program::meet(at(member), at(i));
      worst = std::max(worst, meeting == Meeting::kCrossed && waits_for_row(g, member, i) ? Meeting::kAligned : meeting);
    }
    return worst;
  }

  // Rows of this many elements stay in a scratch block from phase to phase; shorter ones cost more in calls than they save.
  static constexpr int64_t kShortestRow = 64, kLongestRow = 8192;

  bool waits_for_row(int g, int member, int i) {
    const program::Split& split = joined_[static_cast<size_t>(g)].split;
    // Tests ask for small blocks, and want what happens to long rows to happen to short ones.
    const int64_t shortest = base::integer_option(base::Option::block_elements) > 0 ? 1 : kShortestRow;
    return split.inner == 1 && split.outer > 1 && split.reduced >= shortest && split.reduced <= kLongestRow &&
           at(members_of(g)[0]).shape() == at(i).shape() && program::follows_by_row(at(member), at(i));
  }

  void find_phases(Group& group) {
    std::vector<std::pair<int, int>> placed;  // phase, member
    for (const int member : group.members) {
      int phase = 0;
      for (const auto& [earlier_phase, earlier] : placed) {
        if (program::follows_by_row(at(earlier), at(member))) {
          phase = std::max(phase, earlier_phase + 1);
        } else if (program::meet(at(earlier), at(member)) != Meeting::kApart) {
          phase = std::max(phase, earlier_phase);
        }
      }
      placed.emplace_back(phase, member);
    }
    std::ranges::stable_sort(placed, {}, &std::pair<int, int>::first);
    group.phases.resize(placed.size());
    for (size_t m = 0; m < placed.size(); ++m) std::tie(group.phases[m], group.members[m]) = placed[m];
  }

  const char* obstacle_to_join(int g, int i, Meeting meeting) {
    const Group& group = schedule_.groups[static_cast<size_t>(g)];
    const Joined& joined = joined_[static_cast<size_t>(g)];
    if (!(at(group.members[0]).shape() == at(i).shape())) return "another shape";
    if (meeting == Meeting::kCrossed)
      return "needs elements at other places of what the group writes, or overwrites what it reads";
    if (group.members.size() >= kMostMembers) return "the group is full";
    if (!shares(joined, at(i))) return "no array in common";
    if (static_cast<int>(joined.operands.size()) + count_new(joined, at(i)) > kMostOperands) return "too many arrays at once";
    if (joined.reduces && at(i).kind == Kind::kReduce && !(program::split_of(at(i)) == joined.split))
      return "reduces along other axes";
    if (joined.reduces && at(i).kind == Kind::kReduce && is_complex(at(i).output.view.dtype) != joined.complex)
      return "real and complex sums are cut in different places";
    return nullptr;
  }

  static bool shares(const Joined& joined, const Instruction& instruction) {
    bool found = false;
    program::for_each_operand(instruction, [&](const Operand& operand) {
      if (operand.is_number()) return;
      for (const Operand* other : joined.operands) found |= other->base.get() == operand.base.get();
    });
    return found;
  }

  static int count_new(const Joined& joined, const Instruction& instruction) {
    int count = 0;
    program::for_each_operand(instruction, [&](const Operand& operand) {
      if (operand.is_number()) return;
      for (const Operand* other : joined.operands) {
        if (program::same_place(other->view, operand.view)) return;
      }
      ++count;
    });
    return count;
  }

  void join(int g, int i) {
    Joined& joined = joined_[static_cast<size_t>(g)];
    joined.has_phases =
        joined.has_phases ||
        (joined.reduces && std::ranges::any_of(members_of(g), [&](int member) { return waits_for_row(g, member, i); }));
    joined.bases |= bases_of(at(i));
    program::for_each_operand(at(i), [&](const Operand& operand) {
      if (!operand.is_number()) add(joined, operand);
    });
    if (at(i).kind == Kind::kReduce) {
      joined.reduces = true;
      joined.complex = is_complex(at(i).output.view.dtype);
      joined.split = program::split_of(at(i));
    }
    schedule_.groups[static_cast<size_t>(g)].members.push_back(i);
  }

  Schedule& schedule_;
  std::vector<Instruction>& all_;
  std::vector<Joined> joined_;
};

}  // namespace

void form_groups(Schedule& schedule) { Grouper(schedule).run(); }

}  // namespace manycore::fuse
