// Which loop computes an operation on given dtypes, exactly as NumPy 2 chooses: the first loop, in NumPy's order, that every input
// casts to safely, where a bare Python number takes the dtype of the arrays it meets (NEP 50). Table lookups without
// allocation on the common path; thread-safe.
#pragma once

#include <optional>
#include <span>

#include "manycore/scalar.h"
#include "op/op.h"

namespace manycore::op {

struct OperandType {
  DType dtype;
  Weak weak = Weak::kStrong;
};

// The dtypes that the loop reads and writes; operands of other dtypes are cast.
struct Signature {
  DType inputs[3];
  DType outputs[2];
  int slot;  // of kernel::find_loop
};

// The dtype that a weak operand takes among `operands`.
MANYCORE_API DType settle_weak(Weak weak, DType own, std::span<const OperandType> operands);

// False where NumPy has no loop for these inputs.
MANYCORE_API bool find_signature(Op op, std::span<const OperandType> inputs, Signature* signature);

// The loop, or UserError: kType in NumPy's words when there is none, kCasting when `casting` forbids an input's cast.
// `dtype` is NumPy's dtype= argument: the loop's output dtype.
MANYCORE_API Signature resolve(Op op, std::span<const OperandType> inputs, std::optional<DType> dtype = {},
                               Casting casting = Casting::kSameKind);

// UserError(kCasting) "Cannot cast ufunc 'add' output from dtype('float64') to dtype('int64') with casting rule 'same_kind'".
MANYCORE_API void check_output_cast(Op op, int output, DType loop, DType array, Casting casting);

}  // namespace manycore::op
