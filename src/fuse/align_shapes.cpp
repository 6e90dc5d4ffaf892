// Gives instructions on whole arrays the shape in which their neighbours see the same bytes: (a * b).reshape(-1, 1000).sum(axis=0)
// multiplies 10M elements and adds up rows of 1000, and runs together once the product too is one of rows. An instruction whose
// operands all are dense in C order, or one element for all, may have any shape of that size; those that share arrays take one
// shape together. A neighbour that may not decides which: a reduction along an axis, a slice, an operand that is stretched.
#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "fuse/pass.h"

namespace manycore::fuse {
namespace {

using program::Operand;

// Elements that are seen whole, in whichever shape: where, how many bytes, how many an element.
using Whole = std::tuple<const std::byte*, int64_t, int64_t>;

bool is_still(const View& view) {
  return std::ranges::all_of(view.strides, [](int64_t stride) { return stride == 0; });
}

class Aligner {
 public:
  explicit Aligner(std::vector<Instruction>& all) : all_(all), leaders_(all.size()), shapes_(all.size(), nullptr) {}

  void run() {
    for (size_t i = 0; i < all_.size(); ++i) leaders_[i] = i;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (takes_part(all_[i])) join(i);
    }
    for (size_t i = 0; i < all_.size(); ++i) {
      if (takes_part(all_[i]) && !is_flat(all_[i])) propose(all_[i]);
    }
    for (size_t i = 0; i < all_.size(); ++i) {
      if (!takes_part(all_[i]) || !is_flat(all_[i])) continue;
      const Dims*& shape = shapes_[leader(i)];
      if (shape == nullptr) shape = &all_[i].shape();  // the oldest one's
      if (!(*shape == all_[i].shape())) restate(all_[i], *shape);
    }
  }

 private:
  static bool takes_part(const Instruction& instruction) { return !instruction.done && instruction.kind != Kind::kFree; }

  static bool is_flat(const Instruction& instruction) {
    bool flat = true;
    program::for_each_operand(instruction, [&](const Operand& operand) {
      flat = flat && (operand.is_number() || is_still(operand.view) || operand.view.is_c_contiguous());
    });
    // One result for a whole array is one in any shape; one a row is not.
    return flat && (instruction.kind != Kind::kReduce || is_still(instruction.output.view));
  }

  template <class F>
  static void for_each_whole(const Instruction& instruction, F&& body) {
    program::for_each_operand(instruction, [&](const Operand& operand) {
      if (operand.is_number() || is_still(operand.view) || !operand.view.is_c_contiguous()) return;
      body(Whole(operand.view.data, operand.view.nbytes(), item_size(operand.view.dtype)));
    });
  }

  size_t leader(size_t i) {
    while (leaders_[i] != i) i = leaders_[i] = leaders_[leaders_[i]];
    return i;
  }

  void join(size_t i) {
    if (!is_flat(all_[i])) return;
    for_each_whole(all_[i], [&](const Whole& whole) {
      const auto [known, fresh] = flat_.try_emplace(whole, i);
      // The oldest leads.
      if (!fresh) leaders_[std::max(leader(known->second), leader(i))] = std::min(leader(known->second), leader(i));
    });
  }

  void propose(const Instruction& instruction) {
    for_each_whole(instruction, [&](const Whole& whole) {
      const auto known = flat_.find(whole);
      if (known == flat_.end()) return;
      const Dims*& shape = shapes_[leader(known->second)];
      if (shape == nullptr) shape = &instruction.shape();
    });
  }

  static void restate(Instruction& instruction, const Dims& shape) {
    const auto change = [&](Operand& operand) {
      if (operand.is_number()) return;
      operand.view.strides = is_still(operand.view) ? Dims(shape.size()) : c_strides(shape, item_size(operand.view.dtype));
      operand.view.shape = shape;
    };
    program::for_each_operand(instruction, change);
  }

  std::vector<Instruction>& all_;
  std::vector<size_t> leaders_;
  std::vector<const Dims*> shapes_;  // by leader; of an instruction that keeps its shape
  std::map<Whole, size_t> flat_;
};

}  // namespace

void align_shapes(Schedule& schedule) {
  auto& all = schedule.program.instructions;
  const Instruction* first = nullptr;
  for (const Instruction& instruction : all) {
    if (instruction.done || instruction.kind == Kind::kFree) continue;
    if (first == nullptr) first = &instruction;
    if (!(instruction.shape() == first->shape()) && instruction.shape().size() > 0) return Aligner(all).run();
  }
}

}  // namespace manycore::fuse
