// Where a recorded operation stands in the user's program. Needs the GIL.
#pragma once

#include <cstdint>

namespace manycore::python {

// A handle that lasts for a site that base::Hooks::may_record answered; 0 where no report was kept then. Any thread, without the GIL.
uint64_t line_of_recorded_site(const void* site);
// File and line of such a handle; "<unknown line>" and 0 for none. Null with a Python exception set.
const char* place_of_recorded_site(uint64_t site, int* line);

}  // namespace manycore::python
