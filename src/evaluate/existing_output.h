// What every door asks that writes into an array which was there before. Where one element stands in several places the last write
// wins in NumPy's order of iteration, which neither blocks nor threads keep: such outputs are refused before anything is written
// (the bindings let NumPy answer) and never recorded.
#pragma once

#include "manycore/view.h"

namespace manycore::evaluate {

[[noreturn]] void fail_existing_output();

// Throws UserError(kNotImplemented) unless the output's elements lie apart.
inline void check_existing_output(const View& output) {
  if (may_overlap_itself(output)) fail_existing_output();
}

}  // namespace manycore::evaluate
