// The passes, one per file, in the order of passes.cpp. Each changes the schedule in place; none changes what the user sees: values,
// warnings and the lines they belong to. Internal to fuse/.
#pragma once

#include "fuse/schedule.h"

namespace manycore::fuse {

void find_common(Schedule& schedule);       // the same operation on the same values is done once
void drop_unused(Schedule& schedule);       // what nobody reads and what cannot warn is not done
void insert_frees(Schedule& schedule);      // FREE after the last use of what only the program holds
void align_shapes(Schedule& schedule);      // what sees the same bytes in other shapes sees them in one
void form_groups(Schedule& schedule);       // which instructions run together
void find_temporaries(Schedule& schedule);  // what never needs memory
void place_frees(Schedule& schedule);       // each FREE behind the group that uses the base last

}  // namespace manycore::fuse
