// Instruction: one step of a recorded program - an operation, the view it writes and the views or numbers it reads. Views are
// operands: slices, transposes and writes through them need no copies, and whether two operands meet is exact (type/overlap).
// Plain values; an operand's base keeps the bytes alive until the instruction has run.
#pragma once

#include <memory>
#include <vector>

#include "kernel/reduce.h"
#include "manycore/buffer.h"
#include "manycore/scalar.h"
#include "manycore/view.h"
#include "op/resolve.h"

namespace manycore::program {

enum class Kind : uint8_t {
  kElementwise,  // output = operation(inputs), cast where an operand's dtype is not the loop's
  kAssign,       // output = input, cast
  kSelect,       // output = inputs[1] where inputs[0] is true, else inputs[2]
  kReduce,       // output = reduction of the input; the output's strides are 0 along the reduced axes
  kFree,         // the output's base has been read for the last time and nobody else holds it
};

struct Operand {
  BufferRef base;  // null for a number
  View view;       // stretched to the shape that the instruction runs over
  Scalar number;   // in the dtype of the loop

  bool is_number() const { return !base; }
};

// Where an instruction was recorded and what is to happen to the floating point conditions it meets.
struct Origin {
  std::shared_ptr<const void> site;  // made by base::Hooks; null where nobody wants to hear of anything
  unsigned reported = 0;             // FloatingPointStatus bits that the user wants to hear of
  uint64_t order = 0;                // of what one recorder recorded: warnings come in it
};

struct Instruction {
  Kind kind = Kind::kElementwise;
  op::Op operation = op::Op::count_;
  op::Signature signature{};  // kElementwise: the loop
  kernel::Reduction reduction = kernel::Reduction::kSum;
  Operand output;
  Operand inputs[3];
  int input_count = 0;
  Origin origin;
  std::vector<Origin> echoes;  // other places where the same was asked for: what it meets is reported there too
  bool done = false;           // it has run, or a pass found that it need not

  // Conditions that somebody wants to hear of.
  unsigned wanted_conditions() const {
    unsigned conditions = origin.reported;
    for (const Origin& echo : echoes) conditions |= echo.reported;
    return conditions;
  }

  const Dims& shape() const { return kind == Kind::kReduce ? inputs[0].view.shape : output.view.shape; }
  // What the loop reads; operands of other dtypes are cast on the way.
  DType input_dtype(int i) const {
    if (kind == Kind::kElementwise) return signature.inputs[i];
    if (kind == Kind::kSelect) return i == 0 ? DType::kBool : output.view.dtype;
    return inputs[i].is_number() ? inputs[i].number.dtype : inputs[i].view.dtype;
  }
  DType output_dtype() const { return kind == Kind::kElementwise ? signature.outputs[0] : output.view.dtype; }
};

// NumPy's name of what an instruction does: "add", "sum"; "assign" and "free" for the others.
const char* name_of(const Instruction& instruction);

}  // namespace manycore::program
