// Hazards: may two instructions of one program change places, or run together block by block? Exact where views are (type/overlap).
#pragma once

#include "program/instruction.h"

namespace manycore::program {

enum class Meeting : uint8_t {
  kApart,    // no byte in common, or both only read
  kAligned,  // common bytes, but element by element: block by block in order gives what one after the other gives
  kCrossed,  // common bytes in different places: the later one must wait for the whole earlier one
};

// How `later` depends on `earlier`.
Meeting meet(const Instruction& earlier, const Instruction& later);

// Must `later` wait for `earlier`, a reduction along the last axes, but for the row that it works on only? It reads what that makes of
// the row, or overwrites the row, and they meet in no other way.
bool follows_by_row(const Instruction& earlier, const Instruction& later);

// Are two views of one shape the same elements?
inline bool same_place(const View& a, const View& b) { return a.data == b.data && a.dtype == b.dtype && a.strides == b.strides; }

}  // namespace manycore::program
