// Program: what was recorded, in order. Owned by one Recorder, or by whoever takes it out to run it; not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "program/instruction.h"

namespace manycore::program {

struct Program {
  std::vector<Instruction> instructions;
  // The base of an array that a full reduction reads and that its caller holds for the last time, it seems: (a * b).sum(). It need not
  // be written to memory; what computes it stays in the program, and is dropped when the array has indeed gone.
  Buffer* passing = nullptr;
  // The program that this one is a copy of, made to see what the passes would do: its mentions of a base are not somebody else's.
  const Program* original = nullptr;

  bool empty() const { return instructions.empty(); }
  // A line an instruction: "t2[1000,1000]f64 = add(t0, a1[1:-1,:])" with names for bases in the order they appear; bases that
  // only the program holds are t, others a.
  std::string text() const;
  // Throws Bug when an operand's shape or dtype does not fit its instruction, or a base is used after its FREE.
  void verify() const;
};

// body(operand) for the inputs, then the output.
template <class I, class F>
void for_each_operand(I& instruction, F&& body) {
  for (int i = 0; i < instruction.input_count; ++i) body(instruction.inputs[i]);
  body(instruction.output);
}

}  // namespace manycore::program
