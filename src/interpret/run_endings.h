// The reductions at the end of a group: the group's steps compute a stretch of elements into scratch, and the stretch is folded
// while it is in the cache. Sums add in NumPy's order: pairwise along a contiguous last axis, cut where the pairwise tree cuts
// itself; row after row along other axes. Internal to interpret/.
#pragma once

#include "interpret/run_blocks.h"

namespace manycore::interpret {

// Steps and endings of the whole program; ending_status[i] gets the conditions that folding met.
void run_endings(const BlockProgram& program, int64_t block, Statuses* statuses, Statuses* ending_status);

}  // namespace manycore::interpret
