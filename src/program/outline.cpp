#include "program/outline.h"

#include <cstring>

namespace manycore::program {
namespace {

// Looking through more of them would take longer than planning; such programs are planned anew.
constexpr size_t kMostNumbers = 32;

uint64_t word(std::initializer_list<int> bytes) {
  uint64_t result = 0;
  for (int byte : bytes) result = result << 8 | static_cast<uint8_t>(byte);
  return result;
}

uint64_t word_of(const Instruction& instruction) {
  const bool computes = instruction.kind == Kind::kElementwise;
  const op::Signature& loop = instruction.signature;
  const int operation = computes ? static_cast<int>(instruction.operation) : static_cast<int>(instruction.reduction);
  return word({static_cast<int>(instruction.kind), operation, instruction.input_count, computes ? loop.slot : 0,
               computes ? static_cast<int>(loop.outputs[0]) : 0, computes ? static_cast<int>(loop.inputs[0]) : 0,
               computes && instruction.input_count > 1 ? static_cast<int>(loop.inputs[1]) : 0,
               computes && instruction.input_count > 2 ? static_cast<int>(loop.inputs[2]) : 0});
}

static_assert(op::kOpCount < 256 && kDTypeCount < 64);

bool same(const Scalar& a, const Scalar& b) { return a.dtype == b.dtype && std::memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0; }

}  // namespace

void Outline::read(Program& program) {
  words_.clear();
  numbers_.clear();
  bases_.clear();
  may_be_kept_ = program.original == nullptr;
  for (Instruction& instruction : program.instructions) read(instruction);
  if (numbers_.size() >= kMostNumbers) may_be_kept_ = false;
  describe_bases(program);
  hash_ = words_.size();
  for (uint64_t value : words_) {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15u;
    hash_ ^= hash_ >> 29;
  }
}

void Outline::read(Instruction& instruction) {
  may_be_kept_ = may_be_kept_ && !instruction.done && instruction.kind != Kind::kFree && instruction.echoes.empty();
  const Dims& shape = instruction.shape();
  words_.push_back(word_of(instruction));
  words_.push_back(static_cast<uint64_t>(instruction.origin.reported) << 8 | static_cast<uint64_t>(shape.size()));
  words_.insert(words_.end(), shape.begin(), shape.end());
  for_each_operand(instruction, [&](Operand& operand) { read(operand); });
}

void Outline::read(Operand& operand) {
  if (operand.is_number()) return read(operand.number);
  Buffer* base = operand.base.get();
  operand.view.data = base->resolve(operand.view.data);
  const auto offset = static_cast<uint64_t>(operand.view.data - base->data());
  words_.push_back(word({1, static_cast<int>(operand.view.dtype)}) << 32 | static_cast<uint64_t>(bases_.mention(base)));
  words_.push_back(offset);
  words_.insert(words_.end(), operand.view.strides.begin(), operand.view.strides.end());
}

// Which numbers are equal matters (fuse/find_common.cpp), their values do not.
void Outline::read(const Scalar& number) {
  size_t k = 0;
  while (k < numbers_.size() && !same(*numbers_[k], number)) ++k;
  if (k == numbers_.size() && k < kMostNumbers) numbers_.push_back(&number);
  words_.push_back(word({2, static_cast<int>(number.dtype)}) << 32 | k);
}

void Outline::describe_bases(const Program& program) {
  bases_.find_holders(program);
  for (const BaseUse& use : bases_.uses()) {
    words_.push_back(static_cast<uint64_t>(use.base->nbytes()));
    words_.push_back(
        word({3, use.is_dead, use.is_passing, use.base == program.passing, use.base->is_foreign(), use.base->has_memory()}));
  }
}

}  // namespace manycore::program
