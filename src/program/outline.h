// Outline: everything about a program that decides how it is planned, and nothing else: operations, dtypes, shapes, strides, where views
// lie in their bases, which bases and which numbers are the same ones, what only the program holds, what has memory, what is
// to be reported. Not the addresses, the values of numbers or the lines of the user. Programs with equal words may run by one plan (interpret/kept_plans.h).
// The bases are those of the one program that it was made from, held by that; not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "program/bases.h"

namespace manycore::program {

class Outline {
 public:
  // Gives views their addresses in memory, where a promise has been kept since they were recorded.
  void read(Program& program);

  // False for what an interrupted run has left: such programs are planned anew.
  bool may_be_kept() const { return may_be_kept_; }
  uint64_t hash() const { return hash_; }
  const std::vector<uint64_t>& words() const { return words_; }
  const Bases& bases() const { return bases_; }

 private:
  void read(Instruction& instruction);
  void read(Operand& operand);
  void read(const Scalar& number);
  void describe_bases(const Program& program);

  std::vector<uint64_t> words_;
  std::vector<const Scalar*> numbers_;  // distinct ones
  Bases bases_;
  uint64_t hash_ = 0;
  bool may_be_kept_ = true;
};

}  // namespace manycore::program
