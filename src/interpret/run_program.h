// run_program: the door of this room for recorded programs. One operation alone runs as if it had not been recorded; a program that
// equals one which this thread ran before runs by its plan; any other is planned, and its plan kept.
#pragma once

#include "interpret/run_group.h"

namespace manycore::interpret {

// As run_schedule.
MANYCORE_API void run_program(program::Program& program, std::vector<Report>* reports);

}  // namespace manycore::interpret
