#include <cstring>
#include <unordered_map>
#include <vector>

#include "fuse/pass.h"

namespace manycore::fuse {
namespace {

using program::Operand;

bool same(const View& a, const View& b) {
  return a.data == b.data && a.dtype == b.dtype && a.shape == b.shape && a.strides == b.strides;
}

bool same(const Operand& a, const Operand& b) {
  if (a.is_number() != b.is_number()) return false;
  if (!a.is_number()) return same(a.view, b.view);
  return a.number.dtype == b.number.dtype && std::memcmp(a.number.bytes, b.number.bytes, sizeof a.number.bytes) == 0;
}

bool same_computation(const Instruction& a, const Instruction& b) {
  if (a.kind != b.kind || a.operation != b.operation || a.input_count != b.input_count) return false;
  if (a.kind == Kind::kElementwise && a.signature.slot != b.signature.slot) return false;
  if (a.output.view.dtype != b.output.view.dtype || !(a.output.view.shape == b.output.view.shape)) return false;
  if (!(a.output.view.strides == b.output.view.strides)) return false;
  for (int i = 0; i < a.input_count; ++i) {
    if (a.input_dtype(i) != b.input_dtype(i) || !same(a.inputs[i], b.inputs[i])) return false;
  }
  return true;
}

// Who writes and who reads each base, by position.
struct Uses {
  std::vector<int> writes, reads;
  bool is_dead = false;
};

class Finder {
 public:
  explicit Finder(Schedule& schedule) : schedule_(schedule), all_(schedule.program.instructions) {}

  void run() {
    std::vector<uint64_t> keys;
    std::vector<int> seen;
    for (int i = 0; i < static_cast<int>(all_.size()); ++i) {
      Instruction& later = at(i);
      if (later.done || later.kind == Kind::kReduce || later.kind == Kind::kFree || later.input_count == 0) continue;
      const uint64_t key = key_of(later);
      bool replaced = false;
      for (size_t k = 0; k < keys.size() && !replaced; ++k) {
        const int j = seen[k];
        if (keys[k] != key || !same_computation(at(j), later)) continue;
        if (uses_.empty()) list_uses();
        if (!inputs_unchanged(j, i) || !may_stand_for(j, i)) continue;
        replace(j, i);
        replaced = true;
      }
      if (replaced) continue;
      keys.push_back(key);
      seen.push_back(i);
    }
  }

 private:
  // Most programs compute nothing twice and never need them.
  void list_uses() {
    for (size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].done || all_[i].kind == Kind::kFree) continue;
      for (int k = 0; k < all_[i].input_count; ++k) {
        if (!all_[i].inputs[k].is_number()) uses_[all_[i].inputs[k].base.get()].reads.push_back(static_cast<int>(i));
      }
      uses_[all_[i].output.base.get()].writes.push_back(static_cast<int>(i));
    }
    for (const program::BaseUse& use : schedule_.bases.uses()) {
      if (use.is_dead) uses_[use.base].is_dead = true;
    }
  }

  Instruction& at(int i) { return all_[static_cast<size_t>(i)]; }

  static uint64_t key_of(const Instruction& instruction) {
    uint64_t key = static_cast<uint64_t>(instruction.operation) + 1;
    for (int i = 0; i < instruction.input_count; ++i) {
      key = key * 0x9e3779b97f4a7c15u + reinterpret_cast<uintptr_t>(instruction.inputs[i].base.get());
    }
    return key;
  }

  bool written_between(Buffer* base, int after, int before) {
    for (int write : uses_[base].writes) {
      if (write > after && write < before) return true;
    }
    return false;
  }

  bool inputs_unchanged(int j, int i) {
    for (int k = 0; k < at(j).input_count; ++k) {
      const Operand& input = at(j).inputs[k];
      if (input.is_number()) continue;
      // An operation on its own input changed it.
      if (input.base.get() == at(j).output.base.get() || written_between(input.base.get(), j, i)) return false;
    }
    return true;
  }

  // The later result is a temporary that is written once and read as a whole, and the earlier one keeps its value.
  bool may_stand_for(int j, int i) {
    const Uses& later = uses_[at(i).output.base.get()];
    if (!later.is_dead || later.writes.size() != 1) return false;
    int last_read = i;
    for (int read : later.reads) {
      if (read <= i) continue;  // what an update in place overwrote
      for (int k = 0; k < at(read).input_count; ++k) {
        const Operand& input = at(read).inputs[k];
        if (!input.is_number() && input.base.get() == at(i).output.base.get() && !same(input.view, at(i).output.view))
          return false;
      }
      last_read = std::max(last_read, read);
    }
    return !written_between(at(j).output.base.get(), j, last_read + 1);
  }

  void replace(int j, int i) {
    Instruction &earlier = at(j), &later = at(i);
    earlier.echoes.push_back(later.origin);
    schedule_.echoes.push_back({j, i});
    for (const program::Origin& origin : later.echoes) earlier.echoes.push_back(origin);
    for (int read : uses_[later.output.base.get()].reads) {
      if (read <= i) continue;
      for (int k = 0; k < at(read).input_count; ++k) {
        Operand& input = at(read).inputs[k];
        if (!input.is_number() && input.base.get() == later.output.base.get()) {
          input = earlier.output;
          schedule_.replaced.push_back({read, k, j});
          uses_[earlier.output.base.get()].reads.push_back(read);
        }
      }
    }
    later.done = true;
  }

  Schedule& schedule_;
  std::vector<Instruction>& all_;
  std::unordered_map<Buffer*, Uses> uses_;
};

}  // namespace

void find_common(Schedule& schedule) { Finder(schedule).run(); }

}  // namespace manycore::fuse
