// run_alone: a program of one operation that needs no cast, run as an operation that was not recorded would be. Nothing can be fused, so
// planning it as a group would only cost time: 2 us, a fifth of what adding 32768 elements takes. The bits are those of run_schedule.
#pragma once

#include "interpret/run_group.h"

namespace manycore::interpret {

// False, with nothing done, for any other program, and where a report is kept of groups or their sizes are given.
bool run_alone(program::Program& program, std::vector<Report>* reports);

}  // namespace manycore::interpret
