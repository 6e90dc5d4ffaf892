// Contracted bases: those of a group that live in scratch blocks and never in memory. Found once for each run of a group; internal
// to interpret/.
#pragma once

#include <vector>

#include "fuse/schedule.h"

namespace manycore::interpret {

struct Contracted {
  int slot = -1;       // the scratch block, while there is something in it
  int reads = 0;       // left
  bool whole = false;  // piles up to a whole row or node: a reduction folds it after the steps, or a later phase reads it
  int phase = 0;       // in which it is written
};
using ContractedBases = program::BaseMap<Contracted>;

// The group's temporaries, but for those that members which run `later` read. A passing array counts if running what computes it once
// more gives the same; the members that do are `kept`.
ContractedBases find_contracted(const fuse::Schedule& schedule, const std::vector<int>& members, const std::vector<int>& later,
                                std::vector<int>* kept);

// How often each is read, and what must stay whole; `phases` are those of the members, empty where there is one.
void count_reads(const fuse::Schedule& schedule, const std::vector<int>& members, const std::vector<int>& phases,
                 ContractedBases* bases);

}  // namespace manycore::interpret
