// elementwise: one operation of op/ops.def over broadcast operands, evaluated before it returns or recorded. The door for every
// ufunc call.
// Steps, top to bottom: resolve the loop from the dtypes (op/resolve.h), broadcast, settle overlap between the output and the
// inputs as NumPy does (an input that shares memory in another layout is copied first), then run blocks: cast in -> kernel ->
// cast out, in parallel above a size. Element bits do not depend on block, thread or position.
#pragma once

#include <optional>
#include <span>

#include "manycore/array.h"
#include "op/op.h"

namespace manycore::evaluate {

// An input: an array or a view (which the caller keeps alive) or a scalar. Only an array may have recorded work pending; its
// view may be read after settle().
struct Operand {
  const View* view = nullptr;
  const Array* array = nullptr;
  Scalar scalar;

  Operand(const View& v) : view(&v) {}
  Operand(const Array& a) : view(&a.described()), array(&a) {}
  Operand(const Scalar& s) : scalar(s) {}
  void settle() const {
    if (array) array->view_to_read();
  }
};

// Floating point conditions met, as bits; the Python layer turns them into warnings under NumPy's errstate.
// kOverflowInCast: a bare number did not fit the loop's floating point dtype, which NumPy reports apart from the operation.
enum FloatingPointStatus : unsigned { kDivideByZero = 1, kOverflow = 2, kUnderflow = 4, kInvalid = 8, kOverflowInCast = 16 };

struct ElementwiseOptions {
  const Array* outputs[2] = {nullptr, nullptr};  // write here instead of into new arrays; broadcasting may not stretch them
  const View* where = nullptr;                   // bool, broadcast with the operands; unselected output elements stay as they are
  std::optional<DType> dtype;                    // the loop's output dtype, as NumPy's dtype=
  Casting casting = Casting::kSameKind;
  unsigned* status = nullptr;  // or-ed with FloatingPointStatus bits
};

// Number of outputs is the operation's. Throws UserError with NumPy's category: kType when no loop fits, kCasting, kValue for
// shapes that do not broadcast. New outputs get NumPy's 'K' layout (C order unless all inputs agree on another order).
MANYCORE_API void elementwise(op::Op operation, std::span<const Operand> inputs, std::span<Array> results,
                              const ElementwiseOptions& options = {});

// Recorded, to be run later with its neighbours (record.h): true, or false with nothing done. The conditions that it meets then go
// to base::Hooks. Throws what elementwise() throws for its arguments.
MANYCORE_API bool record_elementwise(op::Op operation, std::span<const Operand> inputs, Array* result,
                                     const ElementwiseOptions& options);

// One output.
MANYCORE_API Array elementwise(op::Op operation, std::span<const Operand> inputs, const ElementwiseOptions& options = {});

}  // namespace manycore::evaluate
