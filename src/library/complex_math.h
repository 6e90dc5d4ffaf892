// Mathematics of complex numbers by the C library, which is what NumPy calls too. Internal to library/.
#pragma once

#include "kernel/table.h"

namespace manycore::library {

void fill_complex_mathematics(kernel::Builder& builder);

}  // namespace manycore::library
