// Puts NumPy's inner loops of mathematical functions into the engine's table; see math_loops.cpp. Once, at import.
#pragma once

namespace manycore::python {

void register_math_loops();

}  // namespace manycore::python
