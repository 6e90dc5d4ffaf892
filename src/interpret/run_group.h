// run_schedule: runs the groups of a schedule one after the other, each in cache-sized blocks on all cores, and gives memory back at
// each FREE. Bits do not depend on blocks or threads: elementwise results never do, sums are cut at places that depend on the shape
// only. Instructions that have run are marked done, also when it throws (ResourceError, Interrupted); an interrupted group that
// wrote nothing anybody can see is not done and may run again.
#pragma once

#include "fuse/schedule.h"

namespace manycore::interpret {

// Floating point conditions by where they were recorded.
struct Report {
  program::Origin origin;
  const char* operation;
  unsigned status;
};

struct Prepared;  // prepared.h

// `prepared`, if given, is filled with what runs a program with the same outline; it is of no use when this throws.
MANYCORE_API void run_schedule(fuse::Schedule& schedule, std::vector<Report>* reports, Prepared* prepared = nullptr);
// The same for a program whose outline is that of the one that was prepared; `bases` are its own.
void run_prepared(Prepared& prepared, program::Program& program, const program::Bases& bases, std::vector<Report>* reports);

}  // namespace manycore::interpret
