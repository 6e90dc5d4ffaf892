// Moving elements between arrays: assignment with broadcasting and casting, filling, copying and casting to new memory.
// All handle overlapping source and destination as NumPy does, run in parallel above a size; plain copies use non-temporal stores
// where the destination is far larger than the last-level cache.
#pragma once

#include "evaluate/elementwise.h"
#include "manycore/array.h"

namespace manycore::evaluate {

// NumPy's orders; 'K' keeps the axis order of the source.
enum class CopyOrder : uint8_t { kC, kF, kA, kK };

// destination[...] = source. Throws UserError(kValue) "could not broadcast input array from shape (3,) into shape (4,)",
// UserError(kCasting) as NumPy's can_cast says. `status` collects "invalid value encountered in cast" and overflow.
MANYCORE_API void assign(const View& destination, const View& source, Casting casting = Casting::kSameKind,
                         unsigned* status = nullptr);
// destination[...] = value; a weak integer out of the dtype's range throws UserError(kOverflow) with NumPy's words.
MANYCORE_API void fill(const View& destination, const Scalar& value, unsigned* status = nullptr);
// The same for memory that nobody has seen yet: Ctrl-C stops it in the middle.
MANYCORE_API void fill_new(const View& destination, const Scalar& value, unsigned* status = nullptr);

// Assignment and filling, recorded (record.h): true, or false with nothing done, for the caller to run them at once. Errors in the arguments
// are left to that.
MANYCORE_API bool record_assign(const Array& destination, const Array& source, Casting casting);
MANYCORE_API bool record_fill(const Array& destination, const Scalar& value);
MANYCORE_API bool record_copy(const Array& source, DType dtype, CopyOrder order, Array* result);

// A scalar converted to `dtype` by NumPy's rules for Python numbers (weak) or casts (strong).
MANYCORE_API Scalar cast_scalar(const Scalar& value, DType dtype, unsigned* status = nullptr);

// New memory.
MANYCORE_API Array empty_like(const View& source, DType dtype, CopyOrder order = CopyOrder::kK);  // uninitialised
MANYCORE_API Array copy(const View& source, CopyOrder order = CopyOrder::kK);
MANYCORE_API Array astype(const View& source, DType dtype, CopyOrder order = CopyOrder::kK, unsigned* status = nullptr);

}  // namespace manycore::evaluate
